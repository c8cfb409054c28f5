// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/scope.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/descriptor.hpp>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>

namespace procpool::inline v0::detail::os {

/// Returns: `number`, or another number of the same file when that is one of a standard stream; -1 with errno when
/// there is none to be had.
[[nodiscard]] PROCPOOL_DECL int above_standard_streams(int number) noexcept {
    if (number < 0 || number > STDERR_FILENO) { return number; }
    const int moved = try_call("fcntl", [number] { return ::fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); });
    const core::Restore kept{errno};
    ::close(number);
    return moved;
}

PROCPOOL_DECL Descriptor::Descriptor(int number) noexcept : number_(above_standard_streams(number)) {
    if (number_ >= 0) { mark(); }
}

PROCPOOL_DECL bool Descriptor::is_intact() const noexcept {
    struct stat now {};
    return number_ >= 0 && ::fstat(number_, &now) == 0 && now.st_dev == mark_.device && now.st_ino == mark_.inode &&
           (mark_.tag == 0 || ::fcntl(number_, F_GETSIG) == mark_.tag);
}

PROCPOOL_DECL void Descriptor::close() noexcept {
    if (number_ < 0) { return; }
    if (is_intact()) { ::close(number_); }
    number_ = -1;
}

PROCPOOL_DECL void Descriptor::mark() noexcept {
    constexpr unsigned tags = 63;
    static constinit std::atomic<unsigned> last_tag{0};
    const core::Restore kept{errno};
    struct stat now {};
    if (::fstat(number_, &now) == 0) { mark_ = {now.st_dev, now.st_ino, 0}; }
    const int tag = 1 + static_cast<int>(last_tag.fetch_add(1, std::memory_order_relaxed) % tags);
    if (::fcntl(number_, F_SETSIG, tag) == 0) { mark_.tag = tag; }
}

PROCPOOL_DECL Event::Event() : descriptor_(call("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); })) {
    if (!descriptor_) { throw_error(errno, "fcntl"); }
}

PROCPOOL_DECL bool Event::raise() const noexcept {
    if (!descriptor_.is_intact()) { return false; }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(descriptor_.number(), &one, sizeof one);  // full means raised
    return true;
}

PROCPOOL_DECL void Event::lower() const noexcept {
    if (!descriptor_.is_intact()) { return; }
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(descriptor_.number(), &count, sizeof count);
}

PROCPOOL_DECL Pipe::Pipe() {
    int ends[2];
    call("pipe2", [&] { return ::pipe2(ends, O_CLOEXEC); });
    reading = Descriptor{ends[0]};
    writing = Descriptor{ends[1]};
    if (!reading || !writing) { throw_error(errno, "fcntl"); }
}

}  // namespace procpool::detail::os

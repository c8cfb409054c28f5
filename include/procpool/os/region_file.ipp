// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/program_lock.hpp>
#include <procpool/os/region_file.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <utility>

namespace procpool::inline v0::detail::os {

/// Returns: an empty file in memory; none when it cannot be had.
[[nodiscard]] PROCPOOL_DECL Descriptor anonymous_file(const char* name) noexcept {
#ifdef MFD_NOEXEC_SEAL
    constexpr unsigned not_executable = MFD_NOEXEC_SEAL;
#else
    constexpr unsigned not_executable = 8;
#endif
    const auto make = [name](unsigned more) {
        return try_call("memfd_create",
                        [name, more] { return ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | more); });
    };
    int number = make(not_executable);
    if (number < 0 && errno == EINVAL) { number = make(0); }  // before Linux 6.3
    return Descriptor{number};
}

/// Whether the system counts all of a mapping as used from the start, and refuses what it does not have: with a file
/// it would count each page as it is touched, too late to refuse more than the page.
[[nodiscard]] PROCPOOL_DECL bool is_memory_counted_in_advance() noexcept {
    const Descriptor file{::open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC)};
    char mode = '0';
    return ::read(file.number(), &mode, 1) == 1 && mode == '2';
}

PROCPOOL_DECL RegionFile::RegionFile(std::string_view name, bool wanted) noexcept : wanted_(wanted) {
    const std::size_t size = std::min(name.size(), name_.size() - prefix.size() - 1);
    std::copy_n(name.data(), size, std::copy(prefix.begin(), prefix.end(), name_.data()));
}

PROCPOOL_DECL void RegionFile::close() noexcept {
    if (!file_) { return; }
    const std::lock_guard guard{forking};
    forget();
}

PROCPOOL_DECL int RegionFile::create(std::size_t size) noexcept {
    const std::lock_guard guard{forking};
    forget();
    rlimit largest{};
    // Beyond the limit ftruncate() would send SIGXFSZ.
    if (!wanted_ || ::getrlimit(RLIMIT_FSIZE, &largest) != 0 || size > largest.rlim_cur ||
        is_memory_counted_in_advance()) {
        return -1;
    }
    Descriptor file = anonymous_file(name_.data());
    // Another process, or a task, must not take the memory away by making the file smaller.
    if (!file || ::ftruncate(file.number(), static_cast<off_t>(size)) != 0 ||
        ::fcntl(file.number(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return -1;
    }
    struct stat status {};
    if (::fstat(file.number(), &status) != 0) { return -1; }
    device_ = status.st_dev;
    inode_ = status.st_ino;
    open(std::move(file));
    return file_.number();
}

PROCPOOL_DECL void RegionFile::reopen(pid_t supervisor) noexcept {
    if (inode_ == 0 || number_ < 0) { return; }
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "/proc/%d/fd/%d", static_cast<int>(supervisor), number_);
    const std::lock_guard guard{forking};
    Descriptor file{try_call("open", [&path] { return ::open(path.data(), O_RDWR | O_CLOEXEC | O_NONBLOCK); })};
    struct stat status {};
    if (!file || ::fstat(file.number(), &status) != 0 || status.st_dev != device_ || status.st_ino != inode_) {
        return;
    }
    open(std::move(file));
}

PROCPOOL_DECL void RegionFile::leave_to_child() noexcept {
    number_ = file_.number();
    forget();
}

PROCPOOL_DECL void RegionFile::close_inherited(const RegionFile* kept) noexcept {
    for (RegionFile*& one : open_) {
        if (one == nullptr || one == kept) { continue; }
        one->file_.close();
        one = nullptr;
    }
}

PROCPOOL_DECL void RegionFile::open(Descriptor file) noexcept {
    const auto place = std::find(open_.begin(), open_.end(), nullptr);
    if (place == open_.end()) { return; }  // so many threads build pools: this one cannot be looked into
    *place = this;
    file_ = std::move(file);
}

PROCPOOL_DECL void RegionFile::forget() noexcept {
    std::replace(open_.begin(), open_.end(), this, static_cast<RegionFile*>(nullptr));
    file_.close();
}

}  // namespace procpool::detail::os

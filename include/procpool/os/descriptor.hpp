// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Descriptor: owns one file descriptor. Event: a counter one process waits for and others raise. Pipe: tells when all
/// who hold an end have gone.

#include <procpool/os/call.hpp>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace procpool::inline v0::detail::os {

/// Every descriptor that the library opens goes through here.
/// Its number is above those of the standard streams: a program may run with some of these closed, and what it prints,
/// or opens in their place later, must not meet a file of the library's. A program may close descriptors that it has
/// not opened, as daemons do by closefrom(3), and get the number again for a file of its own: is_intact() tells, and
/// nothing is done to such a file.
class Descriptor {
public:
    Descriptor() noexcept = default;
    /// Takes over an open file, which gets another number if it has that of a standard stream. -1: none.
    /// Effects: empty, with errno set, when there is no other number to be had. errno is kept otherwise.
    explicit Descriptor(int number) noexcept : number_(above_standard_streams(number)) {
        if (number_ >= 0) { mark(); }
    }
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)), mark_(other.mark_) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        std::swap(mark_, other.mark_);
        return *this;
    }
    ~Descriptor() { close(); }

    [[nodiscard]] int number() const noexcept { return number_; }
    [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }

    /// Whether the number still is that of the file that was taken over. Not for the way of a task: it costs two system
    /// calls.
    [[nodiscard]] bool is_intact() const noexcept {
        struct stat now {};
        return number_ >= 0 && ::fstat(number_, &now) == 0 && now.st_dev == mark_.device && now.st_ino == mark_.inode &&
               (mark_.tag == 0 || ::fcntl(number_, F_GETSIG) == mark_.tag);
    }

    /// Gives the file to the caller. Returns: its number.
    [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

    /// Effects: closes the file; not one that the program has opened under this number.
    void close() noexcept {
        if (number_ < 0) { return; }
        if (is_intact()) { ::close(number_); }
        number_ = -1;
    }

private:
    /// What the kernel says of the file that was taken over. All eventfds, and pidfds before Linux 6.9, are one inode,
    /// so there is a tag too: the signal that the file would send if asynchronous notification were on, which stays
    /// off. Other files have 0 there.
    struct Mark {
        dev_t device = 0;
        ino_t inode = 0;
        int tag = 0;
    };
    static constexpr unsigned tags = 63;

    [[nodiscard]] static int above_standard_streams(int number) noexcept {
        if (number < 0 || number > STDERR_FILENO) { return number; }
        const int moved = try_call("fcntl", [number] { return ::fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); });
        const int error = errno;
        ::close(number);
        errno = error;
        return moved;
    }

    void mark() noexcept {
        const int error = errno;
        struct stat now {};
        if (::fstat(number_, &now) == 0) { mark_ = {now.st_dev, now.st_ino, 0}; }
        const int tag = 1 + static_cast<int>(last_tag_.fetch_add(1, std::memory_order_relaxed) % tags);
        if (::fcntl(number_, F_SETSIG, tag) == 0) { mark_.tag = tag; }
        errno = error;
    }

    int number_ = -1;
    Mark mark_;

    static inline constinit std::atomic<unsigned> last_tag_{0};
};

/// Raised by any process that inherited it, seen by poll(). Closed when a program is executed.
class Event {
public:
    Event() : descriptor_(call("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); })) {
        if (!descriptor_) { throw_error(errno, "fcntl"); }
    }
    /// Returns: false when the program has closed the descriptor, so that nobody would see it.
    bool raise() const noexcept {
        if (!descriptor_.is_intact()) { return false; }
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(descriptor_.number(), &one, sizeof one);  // full means raised
        return true;
    }
    void lower() const noexcept {
        if (!descriptor_.is_intact()) { return; }
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = ::read(descriptor_.number(), &count, sizeof count);
    }
    [[nodiscard]] int number() const noexcept { return descriptor_.number(); }
    [[nodiscard]] bool is_intact() const noexcept { return descriptor_.is_intact(); }
    void close() noexcept { descriptor_.close(); }

private:
    Descriptor descriptor_;
};

/// Readable at one end when nobody has the other any more.
struct Pipe {
    Pipe() {
        int ends[2];
        call("pipe2", [&] { return ::pipe2(ends, O_CLOEXEC); });
        reading = Descriptor{ends[0]};
        writing = Descriptor{ends[1]};
        if (!reading || !writing) { throw_error(errno, "fcntl"); }
    }
    Descriptor reading;
    Descriptor writing;
};

}  // namespace procpool::detail::os

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Descriptor: owns one file descriptor. Event: a counter one process waits for and others raise. Pipe: its reading
/// end is readable when all processes that hold the writing end have gone.

#include <procpool/core/config.hpp>

#include <cstdint>
#include <utility>

namespace procpool::inline v0::detail::os {

/// Every descriptor that the library opens goes through here.
/// Its number is above those of the standard streams: a program may run with some of these closed, and its output,
/// or the files that it opens in their place, must not meet a file of the library's. A program may close descriptors
/// that it has not opened, as daemons do by closefrom(3), and get the number again for a file of its own: is_intact()
/// detects that, and such a file is left alone.
class Descriptor {
public:
    Descriptor() noexcept = default;
    /// Takes over an open file, which gets another number if it has that of a standard stream. -1: none.
    /// Effects: empty, with errno set, when there is no other number to be had. errno is kept otherwise.
    explicit Descriptor(int number) noexcept;
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)), mark_(other.mark_) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        std::swap(mark_, other.mark_);
        return *this;
    }
    ~Descriptor() {
        if (number_ >= 0) { close(); }
    }

    [[nodiscard]] int number() const noexcept { return number_; }
    [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }

    /// Whether the number still is that of the file that was taken over. Not for the hot path: it costs two system
    /// calls.
    [[nodiscard]] bool is_intact() const noexcept;

    /// Gives the file to the caller. Returns: its number.
    [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

    /// Effects: closes the file; not one that the program has opened under this number.
    void close() noexcept;

private:
    /// The identity of the file that was taken over, from the kernel. All eventfds, and pidfds before Linux 6.9, are
    /// one inode, so there is a tag too: the signal that the file would send if asynchronous notification were on,
    /// which stays off. Other files have 0 there.
    struct Mark {
        std::uint64_t device = 0;
        std::uint64_t inode = 0;
        int tag = 0;
    };

    void mark() noexcept;

    int number_ = -1;
    Mark mark_;
};

/// Raised by any process that inherited it, seen by poll(). Closed when a program is executed.
class Event {
public:
    /// Throws: std::system_error.
    Event();
    /// Returns: false when the program has closed the descriptor: no process would see it.
    bool raise() const noexcept;
    void lower() const noexcept;
    [[nodiscard]] int number() const noexcept { return descriptor_.number(); }
    [[nodiscard]] bool is_intact() const noexcept { return descriptor_.is_intact(); }
    void close() noexcept { descriptor_.close(); }

private:
    Descriptor descriptor_;
};

/// Its reading end is readable when no process has the writing end any more.
struct Pipe {
    /// Throws: std::system_error.
    Pipe();
    Descriptor reading;
    Descriptor writing;
};

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/descriptor.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Descriptor: owns one file descriptor. Event: a counter one process waits for and others raise. Pipe: tells when all who hold an end have gone.

#include <procpool/os/call.hpp>

#include <cstdint>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace procpool::os {

class Descriptor {
public:
    Descriptor() noexcept = default;
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() { close(); }

    [[nodiscard]] int number() const noexcept { return number_; }
    [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }
    void close() noexcept {
        if (number_ >= 0) { ::close(std::exchange(number_, -1)); }
    }

private:
    int number_ = -1;
};

/// Raised by any process that inherited it, seen by poll(). Closed when a program is executed.
class Event {
public:
    Event() : descriptor_(call("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); })) {}
    void raise() const noexcept {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(descriptor_.number(), &one, sizeof one);  // full means raised
    }
    void lower() const noexcept {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = ::read(descriptor_.number(), &count, sizeof count);
    }
    [[nodiscard]] int number() const noexcept { return descriptor_.number(); }
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
    }
    Descriptor reading;
    Descriptor writing;
};

}  // namespace procpool::os

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Gate, Counter, Meeting: order what processes do in a test, without sleeping.
///
///     SharedPage page;                     // before the pool, so that its workers inherit it
///     Gate may_end{page};                  // a pointer into the page: copy it into tasks
///     auto future = pool.apply_async([may_end] { may_end.wait(); });
///     may_end.set();
///
/// Every wait throws std::runtime_error after 20 s, so a test that hangs says where.

#include <procpool/codec/plain.hpp>

#include <fmt/core.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <sys/mman.h>

namespace procpool_test {

using Word = std::atomic<std::int64_t>;
static_assert(Word::is_always_lock_free, "a lock of the library's own would be private to each process");

inline constexpr std::chrono::seconds wait_limit{20};

/// Room for 64 words, shared with every process forked while it exists. One thread makes the words.
class SharedPage {
public:
    SharedPage()
        : begin_(static_cast<std::byte*>(
              ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
        if (begin_ == MAP_FAILED) { throw std::system_error(errno, std::generic_category(), "mmap"); }
    }
    SharedPage(const SharedPage&) = delete;
    SharedPage& operator=(const SharedPage&) = delete;
    ~SharedPage() { ::munmap(begin_, bytes); }

    [[nodiscard]] Word* word() {
        if (used_ == bytes) { throw std::length_error("SharedPage: no word left"); }
        Word* made = ::new (begin_ + used_) Word{0};
        used_ += 64;
        return made;
    }

private:
    static constexpr std::size_t bytes = 4096;
    std::byte* begin_;
    std::size_t used_ = 0;
};

/// Returns when condition() holds; looks every 100 µs. Throws after `limit`.
template <class Condition>
void wait_until(Condition condition, const char* what, std::chrono::nanoseconds limit = wait_limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) {
            throw std::runtime_error(fmt::format("waited too long for {}", what));
        }
        std::this_thread::sleep_for(std::chrono::microseconds{100});
    }
}

/// Closed until set(); open from then on.
class Gate {
public:
    explicit Gate(SharedPage& page) : word_(page.word()) {}
    void set() const noexcept { word_->store(1); }
    [[nodiscard]] bool is_set() const noexcept { return word_->load() != 0; }
    void wait(std::chrono::nanoseconds limit = wait_limit) const {
        wait_until([this] { return is_set(); }, "a gate", limit);
    }

private:
    Word* word_;
};

class Counter {
public:
    explicit Counter(SharedPage& page) : word_(page.word()) {}
    /// Returns the new value.
    std::int64_t add(std::int64_t n = 1) const noexcept { return word_->fetch_add(n) + n; }
    [[nodiscard]] std::int64_t value() const noexcept { return word_->load(); }
    void wait_for(std::int64_t at_least, std::chrono::nanoseconds limit = wait_limit) const {
        wait_until([&] { return value() >= at_least; }, "a counter", limit);
    }

private:
    Word* word_;
};

/// Holds every thread that arrives until `n` have arrived; once only.
class Meeting {
public:
    Meeting(SharedPage& page, std::int64_t n) : arrived_(page), n_(n) {}
    void arrive_and_wait(std::chrono::nanoseconds limit = wait_limit) const {
        arrived_.add();
        wait_until([this] { return arrived_.value() >= n_; }, "others at a barrier", limit);
    }

private:
    Counter arrived_;
    std::int64_t n_;
};

}  // namespace procpool_test

// Their pointers are into a page that workers share, so these are right as arguments.
template <>
inline constexpr bool procpool::enable_plain<procpool_test::Gate> = true;
template <>
inline constexpr bool procpool::enable_plain<procpool_test::Counter> = true;
template <>
inline constexpr bool procpool::enable_plain<procpool_test::Meeting> = true;

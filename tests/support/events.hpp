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
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace procpool_test {

using Word = std::atomic<std::int64_t>;
static_assert(Word::is_always_lock_free, "a lock of the library's own would be private to each process");

inline constexpr std::chrono::seconds wait_limit{20};

/// Room for 64 words, shared with every process forked while it exists. One thread makes the words.
/// PROCPOOL_TEST_MACHINES: shared with all ranks of a job too, at one address, when each of them makes the same pages
/// in the same order, as they do before they build the pool.
class SharedPage {
public:
    SharedPage() : begin_(map()) {
        if (begin_ == MAP_FAILED) { throw std::system_error(errno, std::generic_category(), "mmap"); }
    }
    SharedPage(const SharedPage&) = delete;
    SharedPage& operator=(const SharedPage&) = delete;
    ~SharedPage() {
        ::munmap(begin_, bytes);
#if defined(PROCPOOL_TEST_MACHINES)
        ::unlink(path(number_).c_str());
#endif
    }

    [[nodiscard]] Word* word() {
        if (used_ == bytes) { throw std::length_error("SharedPage: no word left"); }
        Word* made = ::new (begin_ + used_) Word{0};
        used_ += 64;
        return made;
    }

private:
    static constexpr std::size_t bytes = 4096;

#if defined(PROCPOOL_TEST_MACHINES)
    std::byte* map() {
        static std::size_t made = 0;
        constexpr std::uintptr_t first = 0x2a'0000'0000;
        number_ = made++;
        const int file = ::open(path(number_).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file < 0 || ::ftruncate(file, bytes) != 0) {
            throw std::system_error(errno, std::generic_category(), path(number_));
        }
        void* const at = ::mmap(reinterpret_cast<void*>(first + number_ * bytes), bytes, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0);
        ::close(file);
        return static_cast<std::byte*>(at);
    }
    /// In a folder of the job's own, which run.sh makes.
    static std::string path(std::size_t number) {
        const char* const folder = std::getenv("TMPDIR");
        return (folder != nullptr ? folder : "/tmp") + std::string("/procpool_page") + std::to_string(number);
    }
    std::size_t number_ = 0;
#else
    static std::byte* map() {
        return static_cast<std::byte*>(
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    }
#endif

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

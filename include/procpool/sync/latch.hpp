// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Latch: opens once, when it has been counted down to zero.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/timed.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/sync/robust_lock.hpp>
#include <procpool/sync/word.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0 {

/// A count in memory that processes share, as std::latch is among threads: `Shared<Latch> done{10};`. Any thread of any
/// process that has the memory may call any member, but for signal handlers. A process that is killed before it counts
/// down leaves the others waiting: use wait_for(), or count down where its death is noticed.
class Latch {
public:
    /// The largest count.
    static constexpr std::ptrdiff_t most = (std::ptrdiff_t{1} << 30) - 1;

    /// Throws: std::invalid_argument when the count is negative or above most; std::logic_error in memory that no other
    /// process has; SharedMemoryExhausted.
    explicit Latch(std::ptrdiff_t count);
    PROCPOOL_UNCOPIED(Latch, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: a Latch is not copied: capture or pass its address")
    ~Latch() { detail::sync::set_and_wake(word_, destroyed); }

    /// Subtracts n and, at zero, wakes all that wait. What happened before is visible to them. Throws: std::logic_error
    /// when n is negative or more than what is left, also when several count down at a time; nothing has changed then.
    void count_down(std::ptrdiff_t n = 1);

    /// Whether the count is zero; never blocks.
    [[nodiscard]] bool try_wait() const noexcept { return is_open(word_.load(std::memory_order_acquire)); }

    /// Blocks until the count is zero. Throws: std::logic_error when the latch is destroyed.
    void wait() { static_cast<void>(wait(detail::Deadline::never())); }
    /// As wait(), for a time. Returns: false when the count was not zero in that time.
    template <class Duration>
    [[nodiscard]] bool wait_for(const Duration& timeout) {
        return try_wait() || wait(detail::core::after(timeout));
    }
    /// As wait_for(), up to a point in time of any clock.
    template <class AnyClock, class Duration>
    [[nodiscard]] bool wait_until(std::chrono::time_point<AnyClock, Duration> when) {
        return try_wait() || detail::wait_until(when, [this](detail::Deadline deadline) { return wait(deadline); });
    }

    /// count_down(n) and wait(), which throw as they do.
    void arrive_and_wait(std::ptrdiff_t n = 1) {
        count_down(n);
        wait();
    }
    /// count_down(n) and wait_for(timeout): has counted down also when it returns false.
    template <class Duration>
    [[nodiscard]] bool arrive_and_wait_for(const Duration& timeout, std::ptrdiff_t n = 1) {
        count_down(n);
        return wait_for(timeout);
    }
    /// As arrive_and_wait_for(), up to a point in time of any clock.
    template <class AnyClock, class Duration>
    [[nodiscard]] bool arrive_and_wait_until(std::chrono::time_point<AnyClock, Duration> when, std::ptrdiff_t n = 1) {
        count_down(n);
        return wait_until(when);
    }

private:
    // The word: count 30 bits, destroyed, asleep.
    static constexpr std::uint32_t destroyed = 2;
    static constexpr std::uint32_t one = 4;

    [[nodiscard]] static bool is_open(std::uint32_t word) noexcept { return word < one; }
    /// Returns: the word n further down, or throws.
    [[nodiscard]] static std::uint32_t less(std::uint32_t word, std::ptrdiff_t n);
    void count_down_with_lock(std::ptrdiff_t n);
    [[nodiscard]] bool wait(detail::Deadline deadline);

    // Once somebody sleeps, only the holder of the lock counts down: the last step changes the word without a look at
    // what it was.
    std::atomic<std::uint32_t> word_;
    detail::sync::RobustLock counting_;
};

static_assert(std::is_standard_layout_v<Latch>);

template <>
inline constexpr bool enable_shared<Latch> = true;

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/sync/latch.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Semaphore: a number of permits that threads of all processes take and give back.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/platform.hpp>
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

/// Permits in memory that processes share: `Shared<Semaphore> slots{4};`. Any thread of any process that has the
/// memory may call any member, but for signal handlers. Not fair: a thread that comes later may be faster. A process
/// that is killed while it waits keeps nobody from a permit; one that is killed with a permit takes it along, see
/// Permits. Destroyed by its owner while others wait: they get a std::logic_error.
class Semaphore {
public:
    /// The most permits at a time.
    static constexpr unsigned most = (1U << 30) - 1;

    /// Throws: std::invalid_argument when the number is negative or above most; std::logic_error in memory that no
    /// other process has; SharedMemoryExhausted.
    explicit Semaphore(std::ptrdiff_t initial) : Semaphore(initial, "Semaphore") {}
    PROCPOOL_UNCOPIED(Semaphore, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: a Semaphore is not copied: capture or pass its address")
    ~Semaphore();

    /// Gives n permits and wakes as many threads; no system call unless one waits. What happened before is visible to
    /// those that take them. A process killed in the middle has given some of them where n is above 500, all or none
    /// otherwise. Throws: std::logic_error when there would be more than most; nothing has changed then.
    void release(unsigned n = 1) {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        while ((seen & detail::sync::asleep) == 0 && n <= most - seen / one) {
            if (word_.compare_exchange_weak(seen, seen + n * one, std::memory_order_release,
                                            std::memory_order_relaxed)) {
                return;
            }
        }
        release_to_sleepers(n);
    }

    /// Blocks until it has taken a permit. Throws: std::logic_error when the semaphore is destroyed.
    void acquire() {
        if (!try_acquire()) { static_cast<void>(wait(detail::Deadline::never())); }
    }
    /// Returns: whether it has taken a permit; never blocks.
    [[nodiscard]] bool try_acquire() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        while (seen >= one) {
            if (word_.compare_exchange_weak(seen, seen - one, std::memory_order_acquire, std::memory_order_relaxed)) {
                return true;
            }
        }
        return false;
    }
    /// As acquire(), for a time. Returns: whether it has taken a permit.
    template <class Duration>
    [[nodiscard]] bool try_acquire_for(const Duration& timeout) {
        return try_acquire() || wait(detail::core::after(timeout));
    }
    /// As try_acquire_for(), up to a point in time of any clock.
    template <class AnyClock, class Duration>
    [[nodiscard]] bool try_acquire_until(std::chrono::time_point<AnyClock, Duration> when) {
        return try_acquire() || detail::wait_until(when, [this](detail::Deadline deadline) { return wait(deadline); });
    }

    /// The free permits at this moment; others may take them any time.
    [[nodiscard]] unsigned was_value() const noexcept { return word_.load(std::memory_order_relaxed) / one; }

protected:
    /// `name` is the class's, for its errors.
    Semaphore(std::ptrdiff_t initial, const char* name);

private:
    // The word: count 30 bits, destroyed, asleep. Only the holder of the front lock sleeps on the word, while the count
    // is zero; others that wait sleep at the lock. So one wake-up is enough, and it is not lost when the front dies:
    // the kernel gives the lock to the next one, which looks at the word.
    static constexpr std::uint32_t destroyed = 2;
    static constexpr std::uint32_t one = 4;

    void release_to_sleepers(unsigned n);
    [[nodiscard]] bool wait(detail::Deadline deadline);

    alignas(detail::apart) std::atomic<std::uint32_t> word_;
    alignas(detail::apart) detail::sync::RobustLock front_;
};

static_assert(std::is_standard_layout_v<Semaphore>);

template <>
inline constexpr bool enable_shared<Semaphore> = true;

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/sync/semaphore.ipp>
#endif

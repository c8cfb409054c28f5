// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Condition: threads of any process sleep, without a lock, until what the lock protects has changed.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/core/timed.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/sync/robust_lock.hpp>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0 {

/// A std::condition_variable_any for processes, over a std::unique_lock<Mutex>, Guarded<T>::Locked, or another lock
/// with lock() and unlock(); those that wait for one thing use one lock. It lies in shared memory, as a Mutex does.
/// Functions that wait hold the lock when they return, when a predicate throws, and when the time has passed; where the
/// lock cannot be had again, as after its owner's death, they throw what its lock() does, without it.
/// Throws: std::logic_error, to those that wait, when it is destroyed; what the lock's unlock() does when the caller
/// does not hold it.
///
/// One word: a generation of 31 bits, and whether somebody may be asleep. A sleeper sets that bit, with the lock, and
/// sleeps on the word that it has seen; a notification changes word and wakes in one step of the kernel. Nobody counts
/// sleepers, so a sleeper that is killed is in no count.
class Condition {
public:
    /// Throws: as Mutex.
    Condition();
    PROCPOOL_UNCOPIED(Condition, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: a Condition is not copied: capture or pass its address")
    Condition& operator=(const Condition&) = delete;
    /// Those that wait are told.
    ~Condition();

    /// Blocks until notified. May return without: ask again for what you wait for. A notify_one() is lost when the
    /// thread that it wakes is killed: where that matters, give a predicate.
    template <class Lock>
    void wait(Lock& lock) {
        static_cast<void>(wait_once(lock, detail::Deadline::never()));
    }
    /// Blocks until pred(), called with the lock, says true. It is called after each notification, and each half second
    /// without: the process that should have notified may be dead.
    template <class Lock, std::predicate Predicate>
    void wait(Lock& lock, Predicate pred) {
        static_cast<void>(wait_before(lock, detail::Deadline::never(), pred));
    }

    /// As wait(), for a time. Returns: false when that has passed.
    template <class Lock, class Duration>
    bool wait_for(Lock& lock, const Duration& timeout) {
        return wait_once(lock, detail::core::after(timeout));
    }
    /// As wait(), for a time. Returns: what pred() says at last.
    template <class Lock, class Duration, std::predicate Predicate>
    bool wait_for(Lock& lock, const Duration& timeout, Predicate pred) {
        return wait_before(lock, detail::core::after(timeout), pred);
    }
    /// As wait(), up to a point in time. Returns: false when that has come.
    template <class Lock, class AnyClock, class Duration>
    bool wait_until(Lock& lock, std::chrono::time_point<AnyClock, Duration> when) {
        return detail::wait_until(when, [&](detail::Deadline deadline) { return wait_once(lock, deadline); });
    }
    /// As wait(), up to a point in time. Returns: what pred() says at last.
    template <class Lock, class AnyClock, class Duration, std::predicate Predicate>
    bool wait_until(Lock& lock, std::chrono::time_point<AnyClock, Duration> when, Predicate pred) {
        return detail::wait_until(when, [&](detail::Deadline deadline) { return wait_before(lock, deadline, pred); });
    }

    /// \{
    /// Wakes one, so many, or all of the threads that sleep; it is not kept for those that come later. With or without
    /// the lock, after a change that was made with it. A thread that was just about to sleep may wake besides. No
    /// system call while nobody has slept since the last notify_all().
    void notify_one() noexcept { notify_n(1); }
    void notify_n(unsigned count) noexcept {
        if (may_sleep() && count != 0) { wake(count); }
    }
    void notify_all() noexcept {
        if (may_sleep()) { wake_all(); }
    }
    /// \}

private:
    /// The look at the word needs no order: the notifier had the lock after a sleeper's change of the word, or before
    /// the sleeper looked for what it waits for.
    [[nodiscard]] bool may_sleep() const noexcept { return (word_.load(std::memory_order_relaxed) & asleep) != 0; }
    void wake(unsigned count) noexcept;
    void wake_all() noexcept;
    /// Returns: the word to sleep on. Requires: the caller holds the lock.
    [[nodiscard]] std::uint32_t announce_sleeper();
    /// Returns: false when the deadline came first.
    [[nodiscard]] bool sleep(std::uint32_t seen, detail::Deadline deadline) const noexcept;
    void throw_if_destroyed() const;

    template <class Lock>
    [[nodiscard]] bool wait_once(Lock& lock, detail::Deadline deadline) {
        const std::uint32_t seen = announce_sleeper();
        lock.unlock();
        detail::reach(detail::FaultPoint::condition_unlocked);
        const bool in_time = sleep(seen, deadline);
        detail::reach(detail::FaultPoint::condition_woken);
        lock.lock();
        throw_if_destroyed();
        return in_time;
    }

    template <class Lock, class Predicate>
    [[nodiscard]] bool wait_before(Lock& lock, detail::Deadline deadline, Predicate& pred) {
        while (!pred()) {
            if (deadline.passed()) { return false; }
            static_cast<void>(wait_once(lock, detail::sync::slice(deadline, look_again)));
        }
        return true;
    }

    static constexpr std::uint32_t asleep = 1;
    static constexpr std::chrono::milliseconds look_again{500};

    std::atomic<std::uint32_t> word_ = 0;
    std::atomic<bool> destroyed_ = false;
};

template <>
inline constexpr bool enable_shared<Condition> = true;

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/sync/condition.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Parker: lets one thread of any process sleep until it is notified, without a lost wake-up.

#include <procpool/core/deadline.hpp>
#include <procpool/os/futex.hpp>

#include <atomic>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0::detail::sync {

/// One sleeper, many notifiers; lives in shared memory and outlives any of them. All-zero memory is a valid one. It is
/// one word, on which its sleeper sleeps in the kernel: whatever a task has written there, rouse() wakes it.
class Parker {
public:
    /// notify() wakes the sleeper, or makes its next park() return at once; no system call unless it sleeps.
    /// Called by:    parent, worker, supervisor; any thread.
    /// Memory order: what happened before notify() is visible to the sleeper when park() returns.
    [[gnu::always_inline]] void notify() noexcept {
        // acq_rel: releases the notifier's writes to park()'s acquire of `notified`.
        if (word_.exchange(notified, std::memory_order_acq_rel) == parked) { os::futex_wake(word_); }
    }

    /// park() blocks until notified or the deadline. Returns: false when the deadline passed first.
    /// Called by: the one thread that owns this parker now.
    [[gnu::always_inline]] bool park(Deadline deadline) noexcept {
        std::uint32_t seen = empty;
        asleep_.store(1, std::memory_order_relaxed);
        if (word_.compare_exchange_strong(seen, parked, std::memory_order_acq_rel, std::memory_order_acquire)) {
            // A notifier that was slower than the deadline of an earlier park may wake this one, so the word decides.
            while (word_.load(std::memory_order_acquire) == parked && os::futex_wait(word_, parked, deadline)) {}
        }
        asleep_.store(0, std::memory_order_relaxed);
        return word_.exchange(empty, std::memory_order_acq_rel) == notified;
    }

    /// Returns: whether it has been notified, and is not any more: for owners that do other things meanwhile. Called
    /// by: the owner. Memory order: as park().
    [[nodiscard]] bool take() noexcept {
        return word_.load(std::memory_order_relaxed) == notified &&
               word_.exchange(empty, std::memory_order_acq_rel) == notified;
    }

    /// Repairs the damage of a notifier that was killed between the two steps of notify(). Called by: supervisor, after
    /// a death. Memory order: acquire: a notifier that found the word parked had seen the sleeper's release of it, and
    /// so the mark before.
    void notify_again_if_interrupted() noexcept {
        if (word_.load(std::memory_order_acquire) == notified && asleep_.load(std::memory_order_relaxed) != 0) {
            os::futex_wake(word_);
        }
    }

    /// Notifies, and wakes a sleeper even if the word does not show that there is one. Called by: any thread that looks
    /// for damage.
    void rouse() noexcept {
        word_.store(notified, std::memory_order_release);
        os::futex_wake(word_);
    }

    /// Resets a parker whose sleeper was killed to its initial state.
    /// Called by: parent, supervisor; when no thread owns it.
    void reset() noexcept {
        asleep_.store(0, std::memory_order_relaxed);
        word_.store(empty, std::memory_order_release);
    }

private:
    static constexpr std::uint32_t empty = 0;
    static constexpr std::uint32_t parked = 1;
    static constexpr std::uint32_t notified = 2;

    std::atomic<std::uint32_t> word_;
    std::atomic<std::uint32_t> asleep_;  // whether its owner is within park(); of the owner
};

static_assert(std::is_trivially_destructible_v<Parker>, "no process runs destructors in shared memory");
static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "a lock would be private to one process");

}  // namespace procpool::detail::sync

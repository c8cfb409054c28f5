// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ThreadMutex: excludes the threads of one process from steps of tens of nanoseconds.

#include <procpool/core/config.hpp>
#include <procpool/os/single_threaded.hpp>

#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::client {

/// As std::mutex, but inline, free of locked instructions in a program of one thread, and spinning for about as long as
/// it costs to go to sleep and be woken, which is a hundred times the time that a holder needs. The three states are
/// those of U. Drepper, Futexes Are Tricky.
class ThreadMutex {
public:
    void lock() noexcept {
        if (os::is_single_threaded()) {
            state_.store(held, std::memory_order_relaxed);
        } else if (!try_lock()) {
            lock_slowly();
        }
    }

    void unlock() noexcept {
        if (os::is_single_threaded()) {  // so no thread waits
            state_.store(unheld, std::memory_order_relaxed);
        } else if (state_.exchange(unheld, std::memory_order_release) == awaited) {
            wake_one();
        }
    }

private:
    static constexpr std::uint32_t unheld = 0;
    static constexpr std::uint32_t held = 1;
    static constexpr std::uint32_t awaited = 2;

    bool try_lock() noexcept {
        std::uint32_t seen = unheld;
        return state_.compare_exchange_strong(seen, held, std::memory_order_acquire, std::memory_order_relaxed);
    }
    void lock_slowly() noexcept;
    void wake_one() noexcept;

    std::atomic<std::uint32_t> state_{unheld};
};

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/thread_mutex.ipp>
#endif

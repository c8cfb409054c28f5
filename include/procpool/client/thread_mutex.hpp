// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ThreadMutex: excludes the threads of one process from steps of tens of nanoseconds.

#include <procpool/core/platform.hpp>
#include <procpool/os/single_threaded.hpp>

#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::client {

/// As std::mutex, but inline, free of locked instructions in a program of one thread, and looking around for about as
/// long as it costs to go to sleep and be woken, which is a hundred times what a holder needs. The three states are
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
        if (os::is_single_threaded()) {  // so nobody waits
            state_.store(unheld, std::memory_order_relaxed);
        } else if (state_.exchange(unheld, std::memory_order_release) == awaited) {
            state_.notify_one();
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

    [[gnu::noinline]] void lock_slowly() noexcept {
        // Ever longer pauses: the holder gets on undisturbed, and is likely to be back before this thread looks again,
        // so that what the mutex protects changes its processor less often.
        constexpr int first_pause = 8;
        constexpr int last_pause = 512;
        for (int pause = first_pause; pause <= last_pause; pause *= 2) {
            for (int i = 0; i < pause; ++i) { relax(); }
            if (state_.load(std::memory_order_relaxed) == unheld && try_lock()) { return; }
        }
        while (state_.exchange(awaited, std::memory_order_acquire) != unheld) {
            state_.wait(awaited, std::memory_order_relaxed);
        }
    }

    std::atomic<std::uint32_t> state_{unheld};
};

}  // namespace procpool::detail::client

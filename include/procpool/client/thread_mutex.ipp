// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/thread_mutex.hpp>
#include <procpool/core/platform.hpp>

namespace procpool::inline v0::detail::client {

[[gnu::noinline]] PROCPOOL_DECL void ThreadMutex::lock_slowly() noexcept {
    // Pauses double: the holder goes on undisturbed, and is likely to lock again before this thread looks, so that the
    // data under the mutex changes its processor less often.
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

[[gnu::noinline]] PROCPOOL_DECL void ThreadMutex::wake_one() noexcept { state_.notify_one(); }

}  // namespace procpool::detail::client

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/biased_mutex.hpp>
#include <procpool/os/process_barrier.hpp>
#include <procpool/os/single_threaded.hpp>
#include <procpool/os/yield.hpp>

#include <algorithm>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL BiasedMutex::BiasedMutex() noexcept {
    // A program of several threads needs more locks in a row: prepare() takes long there, and pays only for a thread
    // that locks very often.
    if (os::is_single_threaded() && os::ProcessBarrier::prepare()) { needed_ = enough; }
}

PROCPOOL_DECL void BiasedMutex::lock_and_end_bias() noexcept {
    lock_slowly();  // not by the bias: then its owner alone would learn of the bias's end
    needed_ = never;
    bias_.store(nullptr, std::memory_order_relaxed);
}

[[gnu::noinline]] PROCPOOL_DECL void BiasedMutex::lock_slowly() noexcept {
    mutex_.lock();
    // The holder of mutex_ gives the bias and revokes it.
    if (Bias* const bias = bias_.load(std::memory_order_relaxed)) {
        bias_.store(nullptr, std::memory_order_relaxed);
        if (bias->owner.load(std::memory_order_relaxed) != this_thread()) { os::ProcessBarrier::pass(); }
        // acquire: the owner's writes inside come before this thread's.
        for (int look = 0; bias->inside.load(std::memory_order_acquire); ++look) {
            look < os::spin_rounds ? os::yield() : os::nap();
        }
        needed_ = std::min(2 * needed_, much);
        in_a_row_ = 0;
    } else if (last_ != this_thread()) {
        last_ = this_thread();
        in_a_row_ = 0;
    } else if (needed_ != never && ++in_a_row_ == needed_) {
        bias_to_this_thread();
    }
}

[[gnu::noinline]] PROCPOOL_DECL void BiasedMutex::bias_to_this_thread() noexcept {
    in_a_row_ = 0;
    for (Bias& bias : biases_) {
        const void* const owner = bias.owner.load(std::memory_order_relaxed);
        if (owner != nullptr && owner != this_thread()) { continue; }
        if (!os::ProcessBarrier::prepare()) { break; }
        bias.owner.store(this_thread(), std::memory_order_relaxed);
        bias_.store(&bias, std::memory_order_relaxed);  // other threads read it when they have locked mutex_
        return;
    }
    needed_ = never;
}

}  // namespace procpool::detail::client

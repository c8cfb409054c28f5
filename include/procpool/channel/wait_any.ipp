// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/channel/binder.hpp>
#include <procpool/channel/wait_any.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/sync/robust_lock.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>

namespace procpool::inline v0::detail::channel {

PROCPOOL_DECL std::vector<std::size_t> wait_for_ends(std::span<PipeEnd* const> ends, Deadline deadline) {
    if (ends.empty()) { throw std::invalid_argument("procpool: wait_any() needs a connection to wait for"); }
    for (PipeEnd* const end : ends) { end->use(); }
    std::vector<std::size_t> ready;
    std::vector<os::FutexLook> words;
    for (;;) {
        const bool is_last_look = deadline.passed();
        for (std::size_t i = 0; i < ends.size(); ++i) {
            if (ends[i]->is_ready()) { ready.push_back(i); }
        }
        if (!ready.empty() || is_last_look) { return ready; }
        words.clear();
        if (!std::all_of(ends.begin(), ends.end(), [&](PipeEnd* end) { return end->watch(words); })) { continue; }
        // It looks again where the kernel wakes nobody; and now and then, in case the one that it has woken was killed.
        const bool looks = words.size() > os::futex_most_words ||
                           std::any_of(ends.begin(), ends.end(), [](PipeEnd* end) { return end->peer_is_given(); });
        const Deadline until = looks ? Deadline::after(look_for_given).or_sooner(deadline)
                                     : sync::slice(deadline, std::chrono::milliseconds{500});
        os::futex_wait_for_any(words, until);
        // At a death the kernel wakes one only. The words are two for each end, the second is that of a life.
        for (std::size_t i = 1; i < words.size(); i += 2) {
            if (words[i].word->load(std::memory_order_relaxed) != words[i].expected) { os::futex_wake(*words[i].word); }
        }
    }
}

}  // namespace procpool::detail::channel

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/fault_point.hpp>
#include <procpool/sync/word.hpp>

#include <stdexcept>
#include <string>

namespace procpool::inline v0::detail::sync {

PROCPOOL_DECL bool sleep_on(std::atomic<std::uint32_t>& word, std::uint32_t seen, Deadline deadline) noexcept {
    if (deadline.passed()) { return false; }  // leaves no bit behind
    if ((seen & asleep) == 0 && !word.compare_exchange_strong(seen, seen | asleep, std::memory_order_relaxed)) {
        return true;
    }
    reach(FaultPoint::sleeper_marked);
    const bool in_time = os::futex_wait(word, seen | asleep, deadline);
    reach(FaultPoint::sleeper_woken);
    return in_time;
}

PROCPOOL_DECL void throw_destroyed(const char* what) {
    throw std::logic_error(std::string{"procpool: the "} + what + " was destroyed while a thread waited for it");
}

}  // namespace procpool::detail::sync

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/sync/event.hpp>
#include <procpool/sync/placement.hpp>

namespace procpool::inline v0 {

PROCPOOL_DECL Event::Event() { detail::sync::require_shared_memory(this, "Event"); }

PROCPOOL_DECL void Event::clear() noexcept {
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    // acquire: what happened before set() is visible to the thread that takes the flag back. release: so it is to those
    // that see the new generation.
    while ((seen & flag) != 0 &&
           !word_.compare_exchange_weak(seen, (seen & ~(flag | detail::sync::asleep)) + generation,
                                        std::memory_order_acq_rel, std::memory_order_relaxed)) {}
}

PROCPOOL_DECL bool Event::wait(detail::Deadline deadline) {
    std::uint32_t seen = word_.load(std::memory_order_acquire);
    const std::uint32_t first = seen / generation;
    for (bool in_time = true;;) {
        if ((seen & flag) != 0 || seen / generation != first) { return true; }
        if ((seen & destroyed) != 0) { detail::sync::throw_destroyed("Event"); }
        if (!in_time) { return false; }
        in_time = detail::sync::sleep_on(word_, seen, deadline);
        seen = word_.load(std::memory_order_acquire);
    }
}

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/fault_point.hpp>
#include <procpool/sync/latch.hpp>
#include <procpool/sync/placement.hpp>

#include <stdexcept>
#include <string>

namespace procpool::inline v0 {

PROCPOOL_DECL Latch::Latch(std::ptrdiff_t count) : word_(static_cast<std::uint32_t>(count) * one) {
    if (count < 0 || count > most) {
        throw std::invalid_argument("procpool: a Latch counts from 0 to " + std::to_string(most) + ", not from " +
                                    std::to_string(count));
    }
    detail::sync::require_shared_memory(this, "Latch");
}

PROCPOOL_DECL std::uint32_t Latch::less(std::uint32_t word, std::ptrdiff_t n) {
    if (n < 0 || n > static_cast<std::ptrdiff_t>(word / one)) {
        throw std::logic_error("procpool: a Latch that stands at " + std::to_string(word / one) +
                               " cannot be counted down by " + std::to_string(n));
    }
    return word - static_cast<std::uint32_t>(n) * one;
}

PROCPOOL_DECL void Latch::count_down(std::ptrdiff_t n) {
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    while ((seen & detail::sync::asleep) == 0) {
        // release: with the acquire of those that wait, and of the one that opens it, which reads from this step.
        if (word_.compare_exchange_weak(seen, less(seen, n), std::memory_order_release, std::memory_order_relaxed)) {
            return;
        }
    }
    count_down_with_lock(n);
}

PROCPOOL_DECL void Latch::count_down_with_lock(std::ptrdiff_t n) {
    counting_.lock_healed();  // one that died with it has counted down, or not
    const detail::sync::HeldLock held{counting_};
    // The bit stays until the latch opens, and so does the count while the lock is held.
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    for (;;) {
        const std::uint32_t left = less(seen, n);
        if (is_open(left) && !is_open(seen)) {
            detail::reach(detail::FaultPoint::before_change);
            detail::os::change_and_wake(word_, detail::os::Change::set, detail::os::Operand{0});
            return;
        }
        // Fails when the latch is destroyed meanwhile. release: as above.
        if (word_.compare_exchange_weak(seen, left, std::memory_order_release, std::memory_order_relaxed)) { return; }
    }
}

PROCPOOL_DECL bool Latch::wait(detail::Deadline deadline) {
    for (bool in_time = true;;) {
        const std::uint32_t seen = word_.load(std::memory_order_acquire);
        if (is_open(seen)) { return true; }
        if ((seen & destroyed) != 0) { detail::sync::throw_destroyed("Latch"); }
        if (!in_time) { return false; }
        in_time = detail::sync::sleep_on(word_, seen, deadline);
    }
}

}  // namespace procpool

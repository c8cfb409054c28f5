// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/fault_point.hpp>
#include <procpool/sync/placement.hpp>
#include <procpool/sync/semaphore.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace procpool::inline v0 {

PROCPOOL_DECL Semaphore::Semaphore(std::ptrdiff_t initial, const char* name)
    : word_(static_cast<std::uint32_t>(initial) * one) {
    if (initial < 0 || initial > std::ptrdiff_t{most}) {
        throw std::invalid_argument(std::string{"procpool: a "} + name + " has at most " + std::to_string(most) +
                                    " permits, not " + std::to_string(initial));
    }
    detail::sync::require_shared_memory(this, name);
}

PROCPOOL_DECL Semaphore::~Semaphore() {
    // The front is told and leaves, and so each of those behind it, which becomes the front. No permit is left.
    detail::os::change_and_wake(word_, detail::os::Change::set, detail::os::Operand{destroyed});
}

PROCPOOL_DECL void Semaphore::release_to_sleepers(unsigned n) {
    constexpr unsigned most_at_once = 500;  // the most that an operand holds
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    while (n > 0) {
        if (n > most - seen / one) {
            throw std::logic_error("procpool: a Semaphore of " + std::to_string(seen / one) + " permits cannot have " +
                                   std::to_string(n) + " more: it was released too often");
        }
        if ((seen & detail::sync::asleep) == 0) {
            // release: with the acquire of those that take a permit.
            if (word_.compare_exchange_weak(seen, seen + n * one, std::memory_order_release,
                                            std::memory_order_relaxed)) {
                return;
            }
            continue;
        }
        const unsigned now = std::min(n, most_at_once);
        detail::reach(detail::FaultPoint::before_change);
        // The bit stays for the front to drop: it alone knows that it does not sleep any more.
        detail::os::change_and_wake(word_, detail::os::Change::add,
                                    detail::os::Operand{static_cast<std::int32_t>(now * one)}, 1);
        n -= now;
        seen = word_.load(std::memory_order_relaxed);
    }
}

PROCPOOL_DECL bool Semaphore::wait(detail::Deadline deadline) {
    if (deadline.passed() || !front_.lock_healed(deadline)) { return try_acquire(); }
    const detail::sync::HeldLock front{front_};
    detail::reach(detail::FaultPoint::semaphore_front);
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    for (bool in_time = true;;) {
        if (seen >= one) {
            // acquire: with release(). Drops the bit, since only the front sleeps.
            if (word_.compare_exchange_weak(seen, (seen - one) & ~detail::sync::asleep, std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
                detail::reach(detail::FaultPoint::semaphore_taken);
                return true;
            }
        } else if ((seen & destroyed) != 0) {
            detail::sync::throw_destroyed("Semaphore");
        } else if (in_time) {
            in_time = detail::sync::sleep_on(word_, seen, deadline);
            seen = word_.load(std::memory_order_relaxed);
        } else if (word_.compare_exchange_weak(seen, seen & ~detail::sync::asleep, std::memory_order_relaxed)) {
            return false;
        }
    }
}

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/sync/parker.hpp>

namespace procpool::inline v0::detail::sync {

PROCPOOL_DECL bool Parker::park(Deadline deadline) noexcept {
    std::uint32_t seen = empty;
    asleep_.store(1, std::memory_order_relaxed);
    if (word_.compare_exchange_strong(seen, parked, std::memory_order_acq_rel, std::memory_order_acquire)) {
        // A notifier that was slower than the deadline of an earlier park may wake this one, so the word decides.
        while (word_.load(std::memory_order_acquire) == parked && os::futex_wait(word_, parked, deadline)) {}
    }
    asleep_.store(0, std::memory_order_relaxed);
    return word_.exchange(empty, std::memory_order_acq_rel) == notified;
}

}  // namespace procpool::detail::sync

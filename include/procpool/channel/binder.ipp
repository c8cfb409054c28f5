// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/channel/binder.hpp>
#include <procpool/os/futex.hpp>

namespace procpool::inline v0::detail::channel {

PROCPOOL_DECL void Binder::use_first(sync::Stamp own) noexcept {
    sync::Stamp seen = stamp_.load(std::memory_order_acquire);
    if ((seen & not_bound) == 0 && sync::Members::is_alive(seen)) { return; }
    // Of several that use it first, one binds it.
    if (stamp_.compare_exchange_strong(seen, own, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        tell_of_change();
    }
}

PROCPOOL_DECL void Binder::bind() {
    stamp_.store(sync::Members::own(), std::memory_order_release);
    tell_of_change();
}

PROCPOOL_DECL void Binder::tell_of_change() noexcept {
    changes_.fetch_add(1, std::memory_order_release);
    os::futex_wake(changes_);
}

PROCPOOL_DECL void Binder::wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, Look seen,
                                Deadline deadline) const noexcept {
    if ((seen.stamp_ & not_bound) != 0) {
        os::futex_wait_for_either(word, expected, changes_, seen.changes_, deadline);
    } else {
        sync::Members::wait(word, expected, seen.stamp_, deadline);
    }
}

}  // namespace procpool::detail::channel

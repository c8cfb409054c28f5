// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/channel/binder.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/process_start.hpp>

namespace procpool::inline v0::detail::channel {

PROCPOOL_DECL bool Binder::process_is_alive(sync::Stamp stamp) noexcept {
    constexpr std::uint64_t unknown = 1;  // to this process, or to the one that gave the end away
    const std::uint64_t start = stamp & start_mask;
    const std::uint64_t seen = start != 0 ? os::start_of_process(pid_of(stamp)) & start_mask : 0;
    return seen != 0 && (seen == start || seen == unknown || start == unknown);
}

PROCPOOL_DECL std::int32_t Binder::pid_of(sync::Stamp stamp) noexcept {
    if ((stamp & given) == 0) { return sync::Members::pid_of(stamp & ~not_bound); }
    return static_cast<std::int32_t>((stamp & ~given) >> start_bits);
}

PROCPOOL_DECL void Binder::use_first(sync::Stamp own) noexcept {
    sync::Stamp seen = stamp_.load(std::memory_order_acquire);
    const bool is_given_to_us = (seen & given) != 0 && pid_of(seen) == os::process_number();
    if ((seen & not_bound) == 0 && !is_given_to_us && is_alive(seen)) { return; }
    // Of several that use it first, one binds it.
    if (stamp_.compare_exchange_strong(seen, own, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        tell_of_change();
    }
}

PROCPOOL_DECL void Binder::give(std::int32_t pid, std::uint64_t start, bool only_own) noexcept {
    const sync::Stamp stamp = given | static_cast<sync::Stamp>(pid) << start_bits | (start & start_mask);
    sync::Stamp seen = stamp_.load(std::memory_order_acquire);
    do {
        const std::int32_t owner = pid_of(seen);
        const bool is_bound = (seen & (not_bound | given)) == 0;
        if (is_bound && owner == pid && is_alive(seen)) { return; }
        if (only_own && is_bound && owner != os::process_number() && is_alive(seen)) { return; }
    } while (!stamp_.compare_exchange_weak(seen, stamp, std::memory_order_acq_rel, std::memory_order_acquire));
    tell_of_change();
}

PROCPOOL_DECL void Binder::bind() {
    stamp_.store(sync::Members::own(), std::memory_order_release);
    tell_of_change();
}

PROCPOOL_DECL void Binder::tell_of_change() noexcept {
    changes_.fetch_add(1, std::memory_order_release);
    os::futex_wake(changes_);
}

PROCPOOL_DECL std::optional<os::FutexLook> Binder::watch() const noexcept {
    const Look seen = look();
    if (!seen.is_alive()) { return std::nullopt; }
    if ((seen.stamp_ & (given | not_bound)) != 0) { return os::FutexLook{&changes_, seen.changes_}; }
    return sync::Members::watch(seen.stamp_);
}

PROCPOOL_DECL void Binder::wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, Look seen,
                                Deadline deadline) const noexcept {
    if ((seen.stamp_ & given) != 0) {
        os::futex_wait_for_either(word, expected, changes_, seen.changes_,
                                  Deadline::after(look_for_given).or_sooner(deadline));
    } else if ((seen.stamp_ & not_bound) != 0) {
        os::futex_wait_for_either(word, expected, changes_, seen.changes_, deadline);
    } else {
        sync::Members::wait(word, expected, seen.stamp_, deadline);
    }
}

}  // namespace procpool::detail::channel

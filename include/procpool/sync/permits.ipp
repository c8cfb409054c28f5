// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/fault_point.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/sync/permits.hpp>
#include <procpool/sync/placement.hpp>
#include <procpool/sync/word.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace procpool::inline v0 {

PROCPOOL_DECL Permits::Permits(std::ptrdiff_t number) : size_(static_cast<unsigned>(number)) {
    if (number < 1 || number > std::ptrdiff_t{most}) {
        throw std::invalid_argument("procpool: there are 1 to " + std::to_string(most) + " Permits, not " +
                                    std::to_string(number));
    }
    detail::sync::require_program_heap(this, "Permits");
}

PROCPOOL_DECL Permits::~Permits() { detail::sync::set_and_wake(word_, destroyed); }

PROCPOOL_DECL bool Permits::is_free(Stamp holder) noexcept {
    return holder == detail::sync::nobody || !detail::sync::Members::is_alive(holder);
}

PROCPOOL_DECL unsigned Permits::was_free() const noexcept {
    return static_cast<unsigned>(std::count_if(holders_.begin(), holders_.begin() + size_, [](const Place& place) {
        return is_free(place.load(std::memory_order_relaxed));
    }));
}

PROCPOOL_DECL Permits::Place* Permits::take(Stamp stamp) noexcept {
    const auto first = static_cast<unsigned>(stamp & 0xffff) % size_;  // each thread begins elsewhere
    for (unsigned i = 0; i < size_; ++i) {
        Place& place = holders_[(first + i) % size_];
        Stamp holder = place.load(std::memory_order_relaxed);
        // acquire: with give(); what a dead holder did is_alive() has acquired.
        if (is_free(holder) &&
            place.compare_exchange_strong(holder, stamp, std::memory_order_acquire, std::memory_order_relaxed)) {
            return &place;
        }
    }
    return nullptr;
}

PROCPOOL_DECL Permits::Place* Permits::wait(Stamp stamp, detail::Deadline deadline) {
    constexpr std::chrono::milliseconds look_again{100};
    if (deadline.passed() || !front_.lock_healed(deadline)) { return take(stamp); }
    const detail::sync::HeldLock front{front_};
    for (bool in_time = true;;) {
        // acquire: a release that changed the word before has freed its place before that.
        const std::uint32_t seen = word_.load(std::memory_order_acquire);
        Place* const place = take(stamp);
        if (place != nullptr || !in_time) {
            word_.fetch_and(~detail::sync::asleep, std::memory_order_relaxed);  // only the front sleeps
            return place;
        }
        if ((seen & destroyed) != 0) { detail::sync::throw_destroyed("Permits"); }
        detail::reach(detail::FaultPoint::permits_taken);
        const detail::Deadline until = detail::sync::slice(deadline, look_again);
        in_time = detail::sync::sleep_on(word_, seen, until) || until.when() != deadline.when();
    }
}

PROCPOOL_DECL std::optional<Permits::Permit> Permits::acquire(detail::Deadline deadline) {
    const Stamp stamp = detail::sync::Members::own();
    Place* place = take(stamp);
    if (place == nullptr) { place = wait(stamp, deadline); }
    return place != nullptr ? std::optional<Permit>{Permit{*this, *place, stamp}} : std::nullopt;
}

PROCPOOL_DECL Permits::Permit Permits::acquire() { return *acquire(detail::Deadline::never()); }

PROCPOOL_DECL std::optional<Permits::Permit> Permits::try_acquire() { return acquire(detail::Deadline::immediately()); }

PROCPOOL_DECL void Permits::give(Place& place, Stamp stamp) noexcept {
    if (!place.compare_exchange_strong(stamp, detail::sync::nobody, std::memory_order_release,
                                       std::memory_order_relaxed)) {
        return;  // the thread that acquired it has ended, and another has it
    }
    detail::reach(detail::FaultPoint::permit_freed);
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    while ((seen & detail::sync::asleep) == 0) {
        // release: with wait(). A step of the word also where nobody sleeps, or a front that has looked at the places
        // before could go to sleep.
        if (word_.compare_exchange_weak(seen, seen + release, std::memory_order_release, std::memory_order_relaxed)) {
            return;
        }
    }
    detail::os::change_and_wake(word_, detail::os::Change::add, detail::os::Operand{std::int32_t{release}}, 1);
}

}  // namespace procpool

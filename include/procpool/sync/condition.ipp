// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/futex.hpp>
#include <procpool/sync/condition.hpp>
#include <procpool/sync/placement.hpp>

#include <stdexcept>

namespace procpool::inline v0 {

PROCPOOL_DECL Condition::Condition() { detail::sync::require_shared_memory(this, "Condition"); }

PROCPOOL_DECL Condition::~Condition() {
    // The flag first: a thread that the change of the word wakes, or keeps from sleeping, sees it.
    destroyed_.store(true, std::memory_order_release);
    detail::os::change_and_wake(word_, detail::os::Change::add, detail::os::Operand{2});
}

PROCPOOL_DECL void Condition::wake_all() noexcept {
    // From odd to even: nobody is left asleep. Two at a time leave the bit to nobody, which costs a system call.
    detail::os::change_and_wake(word_, detail::os::Change::add, detail::os::Operand{1});
}

PROCPOOL_DECL void Condition::wake(unsigned count) noexcept {
    if (detail::os::change_and_wake(word_, detail::os::Change::add, detail::os::Operand{2}, count) == 0) {
        notify_all();  // nobody slept, so the bit goes
    }
}

PROCPOOL_DECL std::uint32_t Condition::announce_sleeper() {
    throw_if_destroyed();
    return word_.fetch_or(asleep, std::memory_order_acquire) | asleep;
}

PROCPOOL_DECL bool Condition::sleep(std::uint32_t seen, detail::Deadline deadline) const noexcept {
    return detail::os::futex_wait(word_, seen, deadline);
}

PROCPOOL_DECL void Condition::throw_if_destroyed() const {
    if (destroyed_.load(std::memory_order_acquire)) {
        throw std::logic_error("procpool: the Condition has been destroyed");
    }
}

}  // namespace procpool

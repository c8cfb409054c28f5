// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/sync/mutex.hpp>
#include <procpool/sync/placement.hpp>

#include <stdexcept>
#include <system_error>

namespace procpool::inline v0::detail::sync {

PROCPOOL_DECL MutexBase::MutexBase(RobustLock::Kind kind, OnOwnerDeath on_death, const char* name)
    : lock_(kind),
      state_(on_death == OnOwnerDeath::ignore ? ignoring : 0) {
    require_shared_memory(this, name);
}

PROCPOOL_DECL MutexBase::~MutexBase() {
    // relaxed: a thread that gets the lock afterwards sees it by the unlock below, or that of another owner.
    state_.fetch_or(destroyed, std::memory_order_relaxed);
    while (was_owner() == os::process_number() && lock_.try_unlock()) {}
}

PROCPOOL_DECL bool MutexBase::notice(Locked locked) {
    if (locked == Locked::yes) [[likely]] { return true; }
    if (locked == Locked::own) {
        throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                                "procpool: this thread holds the Mutex already");
    }
    if (locked == Locked::no) { return false; }
    state_.fetch_and(~recovering, std::memory_order_relaxed);
    if ((state_.load(std::memory_order_relaxed) & ignoring) == 0) {
        state_.fetch_or(poisoned, std::memory_order_relaxed);
    }
    reach(FaultPoint::poisoned_not_consistent);
    lock_.heal();
    return true;
}

PROCPOOL_DECL bool MutexBase::settle(Locked locked) {
    if (!notice(locked)) { return false; }
    const std::uint32_t state = state_.load(std::memory_order_relaxed);
    if ((state & destroyed) != 0 || (state & (poisoned | recovering)) == poisoned) { refuse(); }
    owner_.store(os::process_number(), std::memory_order_relaxed);
    return true;
}

[[gnu::cold]] PROCPOOL_DECL void MutexBase::refuse() {
    const bool is_destroyed = (state_.load(std::memory_order_relaxed) & destroyed) != 0;
    const std::int32_t owner = owner_.load(std::memory_order_relaxed);
    lock_.unlock();
    if (is_destroyed) { throw std::logic_error("procpool: the lock has been destroyed"); }
    throw OwnerDied(owner);
}

PROCPOOL_DECL void MutexBase::lock() {
    if (!settle(lock_.lock())) {  // the C library says so only of what is no lock any more
        throw std::system_error(std::make_error_code(std::errc::state_not_recoverable),
                                "procpool: the lock's bytes have been overwritten");
    }
}

PROCPOOL_DECL bool MutexBase::try_lock() { return settle(lock_.try_lock()); }

PROCPOOL_DECL bool MutexBase::try_lock_before(Deadline deadline) { return settle(lock_.lock(deadline)); }

PROCPOOL_DECL void MutexBase::unlock() {
    if (!lock_.try_unlock()) {
        throw std::system_error(std::make_error_code(std::errc::operation_not_permitted),
                                "procpool: unlock() by a thread that does not hold the lock");
    }
}

PROCPOOL_DECL std::int32_t MutexBase::begin_recovery() {
    static_cast<void>(notice(lock_.lock()));
    if ((state_.load(std::memory_order_relaxed) & destroyed) != 0) { refuse(); }
    state_.fetch_or(recovering, std::memory_order_relaxed);
    return owner_.exchange(os::process_number(), std::memory_order_relaxed);
}

PROCPOOL_DECL void MutexBase::end_recovery(bool complete, std::int32_t died) noexcept {
    state_.fetch_and(~recovering, std::memory_order_relaxed);
    if (complete) {
        state_.fetch_and(~poisoned, std::memory_order_relaxed);
    } else if ((state_.load(std::memory_order_relaxed) & poisoned) != 0) {
        owner_.store(died, std::memory_order_relaxed);
    }
    lock_.unlock();
}

}  // namespace procpool::detail::sync

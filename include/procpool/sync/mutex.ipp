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

[[gnu::cold]] PROCPOOL_DECL bool MutexBase::notice_trouble(Locked locked) {
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

[[gnu::cold]] PROCPOOL_DECL void MutexBase::check() {
    const std::uint32_t state = state_.load(std::memory_order_relaxed);
    if ((state & destroyed) != 0 || (state & (poisoned | recovering)) == poisoned) { refuse(); }
}

[[gnu::cold]] PROCPOOL_DECL void MutexBase::refuse() {
    const bool is_destroyed = (state_.load(std::memory_order_relaxed) & destroyed) != 0;
    const std::int32_t process = owner_.load(std::memory_order_relaxed);
    const std::int32_t thread = thread_.load(std::memory_order_relaxed);
    lock_.unlock();
    if (is_destroyed) { throw std::logic_error("procpool: the lock has been destroyed"); }
    throw OwnerDied(process, thread);
}

[[gnu::cold]] PROCPOOL_DECL void MutexBase::refuse_unlock() const {
    lock_.require_lock();
    throw std::system_error(std::make_error_code(std::errc::operation_not_permitted),
                            "procpool: unlock() by a thread that does not hold the lock");
}

PROCPOOL_DECL MutexBase::Owner MutexBase::begin_recovery() {
    static_cast<void>(notice(lock_.lock()));
    if ((state_.load(std::memory_order_relaxed) & destroyed) != 0) { refuse(); }
    state_.fetch_or(recovering, std::memory_order_relaxed);
    const Owner died{owner_.load(std::memory_order_relaxed), thread_.load(std::memory_order_relaxed)};
    become_owner();
    return died;
}

PROCPOOL_DECL void MutexBase::end_recovery(bool complete, Owner died) noexcept {
    state_.fetch_and(~recovering, std::memory_order_relaxed);
    if (complete) {
        state_.fetch_and(~poisoned, std::memory_order_relaxed);
    } else if ((state_.load(std::memory_order_relaxed) & poisoned) != 0) {
        owner_.store(died.process, std::memory_order_relaxed);
        thread_.store(died.thread, std::memory_order_relaxed);
    }
    lock_.unlock();
}

}  // namespace procpool::detail::sync

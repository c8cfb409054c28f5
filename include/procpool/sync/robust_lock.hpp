// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// RobustLock: a lock among processes that the kernel releases when its owner dies, whatever instruction it was at.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/os/futex.hpp>

#include <pthread.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0::detail::sync {

/// Returns: the deadline, or the end of a slice of that length where that is sooner: a wait looks again from time to
/// time, since the process that should wake it may be dead. Never, but for the deadline, where a program defines
/// PROCPOOL_NO_SLICES in all of its sources: slices hide lost wake-ups from tests.
[[nodiscard]] inline Deadline slice(Deadline deadline, [[maybe_unused]] std::chrono::milliseconds length) {
#ifdef PROCPOOL_NO_SLICES
    return deadline;
#else
    return Deadline::after(length).or_sooner(deadline);
#endif
}

/// The result of an attempt to lock.
enum class Locked : std::uint8_t {
    no,          // another thread holds it, and the deadline has passed
    yes,         // this thread holds it
    owner_died,  // this thread holds it; an owner before it died with it. It stays so for the next owners until heal()
    own,         // this thread held it already: not locked once more, unless the lock is recursive
};

/// A lock in shared memory, of one thread of any process: a robust, process-shared mutex of the C library, whose first
/// word is the kernel's. A forked child is another owner. All-zero memory is a valid lock after prepare(). Its bytes
/// are of the processes that use it, and the kernel's.
class RobustLock {
public:
    enum class Kind : std::uint8_t { checked, recursive };

    /// An unlocked one.
    explicit RobustLock(Kind kind = Kind::checked) noexcept;
    RobustLock(const RobustLock&) = delete;
    RobustLock& operator=(const RobustLock&) = delete;
    ~RobustLock() = default;

    /// Effects: makes zeroed memory an unlocked lock of the usual kind; nothing where it is a lock already. Any number
    /// of processes may do so at a time, and be killed meanwhile: all store the same bytes.
    void prepare() noexcept;

    /// Returns: what became of it; never waits. Throws: std::system_error(state_not_recoverable) when the lock's bytes
    /// have been overwritten, as far as that shows.
    [[nodiscard]] Locked try_lock() {
        const int error = attempt();
        return error == 0 ? Locked::yes : result_of(error);
    }
    /// Effects: waits until the deadline. Wakes now and then meanwhile: see there. Throws: as try_lock(). Returns: not
    /// `no` without a deadline. Memory order: as a lock: what owners did before is visible.
    [[nodiscard]] Locked lock(Deadline deadline = Deadline::never()) {
        const int error = attempt();
        return error == 0 ? Locked::yes : wait(error, deadline);
    }
    /// Effects: lock() and heal(), for locks of data that is right between any two stores.
    /// Returns: whether this thread holds it. Throws: as lock(); std::system_error(resource_deadlock_would_occur) in a
    /// signal handler that has interrupted the lock's owner.
    bool lock_healed(Deadline deadline = Deadline::never()) {
        const Locked locked = lock(deadline);
        return locked == Locked::yes || settle(locked);
    }
    /// Effects: the next owners are told of no death before. Requires: the caller holds it.
    void heal() noexcept;
    /// Returns: false when the caller does not hold it; nothing has changed then.
    [[nodiscard]] bool try_unlock() noexcept { return is_lock() && ::pthread_mutex_unlock(&mutex_) == 0; }
    void unlock() noexcept { static_cast<void>(try_unlock()); }

    /// Throws: std::system_error(state_not_recoverable) when the lock's bytes have been overwritten, as far as that
    /// shows.
    void require_lock() const {
        if (!is_lock()) { static_cast<void>(result_of(EINVAL)); }
    }

    /// The kernel's word: os::futex_owner, futex_owner_died, futex_waiters.
    /// Memory order: acquire: a look that finds no owner sees what the owner did.
    [[nodiscard]] std::uint32_t look() const noexcept { return word().load(std::memory_order_acquire); }
    [[nodiscard]] bool was_locked() const noexcept { return (look() & os::futex_owner) != 0; }
    /// The number of the thread that holds it; 0: none.
    [[nodiscard]] std::uint32_t was_thread() const noexcept {
        return word().load(std::memory_order_relaxed) & os::futex_owner;
    }
    /// Whether the last owner died with it, and nobody has locked it since.
    [[nodiscard]] bool owner_seems_dead() const noexcept { return (look() & os::futex_owner_died) != 0; }
    [[nodiscard]] std::atomic<std::uint32_t>& word() const noexcept {
        return *reinterpret_cast<std::atomic<std::uint32_t>*>(const_cast<pthread_mutex_t*>(&mutex_));
    }

private:
    static constexpr std::chrono::milliseconds look_again{500};

    /// Whether the bytes are those of a lock. The C library would take most others for one of another kind, which no
    /// death releases or which only one process knows.
    [[nodiscard]] bool is_lock() const noexcept {
#ifdef __GLIBC__
        return (mutex_.__data.__kind | 3) == 0x93;  // shared (0x80) and robust (0x10): recursive (1) or checked (2)
#else
        return true;
#endif
    }
    /// Returns: 0, or the error number of an attempt to lock.
    [[nodiscard]] int attempt() noexcept { return is_lock() ? ::pthread_mutex_trylock(&mutex_) : EINVAL; }
    [[nodiscard]] Locked wait(int error, Deadline deadline);
    [[nodiscard]] static Locked result_of(int error);
    [[nodiscard]] bool settle(Locked locked);

    pthread_mutex_t mutex_;
};

static_assert(std::is_standard_layout_v<RobustLock> && std::is_trivially_destructible_v<RobustLock>,
              "the kernel's word comes first; no process destroys what all share");

/// Holds a RobustLock that the maker has locked, for a scope.
class [[nodiscard]] HeldLock {
public:
    explicit HeldLock(RobustLock& lock) noexcept : lock_(lock) {}
    HeldLock(const HeldLock&) = delete;
    HeldLock& operator=(const HeldLock&) = delete;
    ~HeldLock() { lock_.unlock(); }

private:
    RobustLock& lock_;
};

}  // namespace procpool::detail::sync

#if PROCPOOL_BODIES
#include <procpool/sync/robust_lock.ipp>
#endif

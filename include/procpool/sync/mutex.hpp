// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Mutex: a lock among processes whose next owner is told when an owner died with it.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/core/timed.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/sync/robust_lock.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

/// The fate of a lock whose owner dies.
enum class OnOwnerDeath : std::uint8_t {
    report,  ///< Attempts to lock it throw OwnerDied until recover().
    ignore,  ///< The next owner goes on as if nothing had happened, for locks that protect no data.
};

namespace detail::sync {

/// The part that Mutex and RecursiveMutex have in common: a robust lock, the note that an owner died, and who that was.
/// One line at most. The note is written before the kernel is told that somebody has taken notice: a process that is
/// killed between the two leaves the same news to the next.
class MutexBase {
public:
    MutexBase(const MutexBase&) = delete;
    MutexBase& operator=(const MutexBase&) = delete;

    /// Blocks until the calling thread of this process holds the lock. Throws, without the lock: OwnerDied when an
    /// owner died with it and nobody has recovered it since; std::system_error (resource_deadlock_would_occur) when the
    /// thread holds it already, but for a RecursiveMutex; std::logic_error when it has been destroyed;
    /// std::system_error (state_not_recoverable) when its bytes have been overwritten, as far as that shows.
    void lock() { static_cast<void>(settle(lock_.lock())); }
    /// As lock(), without waiting. Returns: whether the calling thread holds it.
    [[nodiscard]] bool try_lock() { return settle(lock_.try_lock()); }
    /// As lock(), for a time. Returns: whether the calling thread holds it.
    template <class Duration>
    [[nodiscard]] bool try_lock_for(const Duration& timeout) {
        return try_lock_before(core::after(timeout));
    }
    /// As lock(), up to a point in time. Returns: whether the calling thread holds it.
    template <class AnyClock, class Duration>
    [[nodiscard]] bool try_lock_until(std::chrono::time_point<AnyClock, Duration> when) {
        return wait_until(when, [this](Deadline deadline) { return try_lock_before(deadline); });
    }
    /// Lets go of it. Throws: std::system_error (operation_not_permitted) unless the calling thread holds it; a forked
    /// child does not hold what its parent does.
    void unlock() {
        if (!lock_.try_unlock()) { refuse_unlock(); }
    }

    /// Effects: calls repair() with the lock, whether an owner died or not. The lock is sound afterwards; when repair()
    /// throws, or its process dies, it stays as it was. Throws: as lock(), but no OwnerDied; as repair().
    template <class F>
    void recover(F&& repair) {
        Recovery recovery{*this};
        std::invoke(std::forward<F>(repair));
        recovery.complete();
    }

    /// \{
    /// Whether a thread of any process holds it, and of which process; 0: nobody. For people who look for a deadlock:
    /// the answer may be out of date at once.
    [[nodiscard]] bool was_locked() const noexcept { return lock_.was_locked(); }
    [[nodiscard]] std::int32_t was_owner() const noexcept {
        return was_locked() ? owner_.load(std::memory_order_relaxed) : 0;
    }
    /// \}

protected:
    /// name: of the derived class, for the errors. Throws: as require_shared_memory().
    MutexBase(RobustLock::Kind kind, OnOwnerDeath on_death, const char* name);
    /// Threads that wait for it are told as soon as they get it; the caller may hold it.
    ~MutexBase();
    /// unlock(), but nothing in a forked child that does not hold it.
    void let_go() noexcept { lock_.unlock(); }
    /// Whether an owner has died with it and nobody has recovered it. Called when no thread uses it.
    [[nodiscard]] bool is_poisoned() const noexcept {
        return (state_.load(std::memory_order_relaxed) & poisoned) != 0 || lock_.owner_seems_dead();
    }

private:
    /// A thread and its process; 0: nobody.
    struct Owner {
        std::int32_t process;
        std::int32_t thread;
    };

    /// Holds the lock for a repair.
    class Recovery {
    public:
        explicit Recovery(MutexBase& mutex) : mutex_(mutex), died_(mutex.begin_recovery()) {}
        Recovery(const Recovery&) = delete;
        Recovery& operator=(const Recovery&) = delete;
        ~Recovery() { mutex_.end_recovery(complete_, died_); }
        void complete() noexcept { complete_ = true; }

    private:
        MutexBase& mutex_;
        Owner died_;
        bool complete_ = false;
    };

    [[nodiscard]] bool try_lock_before(Deadline deadline) { return settle(lock_.lock(deadline)); }
    [[nodiscard]] Owner begin_recovery();
    void end_recovery(bool complete, Owner died) noexcept;
    /// Returns: whether the caller holds it; if an owner died, that is noted.
    [[nodiscard]] bool notice(Locked locked) { return locked == Locked::yes || notice_trouble(locked); }
    [[nodiscard]] bool notice_trouble(Locked locked);
    /// As notice(), but what lock() throws otherwise is thrown.
    [[nodiscard]] bool settle(Locked locked) {
        if (!notice(locked)) { return false; }
        if ((state_.load(std::memory_order_relaxed) & (destroyed | poisoned)) != 0) { check(); }
        become_owner();
        return true;
    }
    /// Throws, without the lock, unless it is sound or its owner repairs it.
    void check();
    [[noreturn]] void refuse();
    [[noreturn]] void refuse_unlock() const;
    void become_owner() noexcept {
        owner_.store(os::process_number(), std::memory_order_relaxed);
        // The kernel's word has the thread's number while it is locked.
        thread_.store(static_cast<std::int32_t>(lock_.was_thread()), std::memory_order_relaxed);
    }

    static constexpr std::uint32_t poisoned = 1;
    static constexpr std::uint32_t ignoring = 2;
    static constexpr std::uint32_t destroyed = 4;
    static constexpr std::uint32_t recovering = 8;  // the owner repairs: a RecursiveMutex may be locked within

    RobustLock lock_;
    std::atomic<std::uint32_t> state_;  // written with the lock, but for destroyed
    // The process and the thread of the last owner, for errors and people; written with the lock.
    std::atomic<std::int32_t> owner_ = 0;
    std::atomic<std::int32_t> thread_ = 0;
};

static_assert(sizeof(MutexBase) <= cache_line, "an uncontended pair of lock() and unlock() touches one line");

/// The lock in a class with another name.
class NamedMutex : public MutexBase {
public:
    NamedMutex(const char* name, OnOwnerDeath on_death) : MutexBase(RobustLock::Kind::checked, on_death, name) {}
    using MutexBase::is_poisoned;
    using MutexBase::let_go;
};

}  // namespace detail::sync

/// A lock of one thread of any process, for std::scoped_lock, std::unique_lock and std::lock. It lies in shared memory:
/// `Shared<Mutex>`, or a member of what is Shared; its address may be captured by and passed to tasks. When its owner
/// dies, a task that a timeout kills included, the kernel releases it; lock() then throws OwnerDied, since what it
/// protects may be half changed, until somebody has called recover(). The thread that ends with it counts as dead.
/// No order among those that wait. Limits of the kernel's: of a thread that ends with more than 2,048 locks the rest
/// stay locked; processes of different PID namespaces do not share a lock, since threads are told apart by their
/// numbers.
class Mutex : public detail::sync::MutexBase {
public:
    /// \{
    /// Unlocked. Throws: std::logic_error when children would get copies of the memory it lies in;
    /// SharedMemoryExhausted.
    Mutex() : Mutex(OnOwnerDeath::report) {}
    explicit Mutex(OnOwnerDeath on_death) : MutexBase(detail::sync::RobustLock::Kind::checked, on_death, "Mutex") {}
    /// \}
    PROCPOOL_UNCOPIED(Mutex, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: a Mutex is not copied: capture or pass its address")
    Mutex& operator=(const Mutex&) = delete;
    ~Mutex() = default;
};

template <>
inline constexpr bool enable_shared<Mutex> = true;

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/sync/mutex.ipp>
#endif

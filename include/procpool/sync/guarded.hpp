// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Guarded: a value and its lock, so that no access forgets it.

#include <procpool/core/platform.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/sync/mutex.hpp>

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace procpool::inline v0 {

/// A T that one thread of all processes uses at a time: `Shared<Guarded<Account>>`; its address may be captured by and
/// passed to tasks. T is Shareable. When a process dies while it uses the T, which may be half changed then, all
/// functions throw OwnerDied until recover() or store(). Throws, besides: as Mutex::lock(); as the functions it calls,
/// whose exceptions change nothing about the lock.
template <class T>
class alignas(detail::cache_line) Guarded {
public:
    /// The T while it is locked: `*locked`, `locked->member`. Unlocks at its end. Used by the thread that made it; its
    /// copy in a forked child does nothing. A BasicLockable, so a Condition can wait with it.
    class [[nodiscard]] Locked {
    public:
        /// \{
        /// Takes over what the other one holds. Assignment gives it what was held here.
        Locked(Locked&& other) noexcept
            : guarded_(other.guarded_),
              is_locked_(std::exchange(other.is_locked_, false)) {}
        Locked& operator=(Locked&& other) noexcept {
            std::swap(guarded_, other.guarded_);
            std::swap(is_locked_, other.is_locked_);
            return *this;
        }
        /// \}
        /// Unlocks, unless that has been done.
        ~Locked() {
            if (is_locked_) { guarded_->mutex_.let_go(); }
        }

        /// \{
        /// The value. Requires: it is locked.
        [[nodiscard]] T& operator*() const noexcept { return guarded_->value_; }
        [[nodiscard]] T* operator->() const noexcept { return &guarded_->value_; }
        /// \}

        /// \{
        /// As those of a Mutex.
        void lock() {
            guarded_->mutex_.lock();
            is_locked_ = true;
        }
        void unlock() {
            guarded_->mutex_.unlock();
            is_locked_ = false;
        }
        /// \}

    private:
        friend Guarded;
        explicit Locked(Guarded& guarded) noexcept : guarded_(&guarded) {}

        Guarded* guarded_;
        bool is_locked_ = true;
    };

    /// Constructs the T from the arguments. Throws: as Mutex's constructor, and as T's.
    template <class... Args>
    requires std::constructible_from<T, Args...>
    explicit(sizeof...(Args) != 0) Guarded(Args&&... args) : value_(std::forward<Args>(args)...) {
        detail::shm::require_shareable<T>();
    }
    PROCPOOL_UNCOPIED(Guarded, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: a Guarded is not copied: capture or pass its address, or load() its value")
    Guarded& operator=(const Guarded&) = delete;
    /// As that of a Mutex. A value that a death has left half changed is not destroyed.
    ~Guarded() {
        if (!mutex_.is_poisoned()) { std::destroy_at(&value_); }
    }

    /// Returns: f(value), called with the lock.
    template <class F>
    requires std::invocable<F, T&>
    decltype(auto) with(F&& f) {
        const Locked held = lock();
        return std::invoke(std::forward<F>(f), value_);
    }

    /// Blocks until the calling thread holds the lock.
    Locked lock() {
        mutex_.lock();
        return Locked{*this};
    }
    /// As lock(), without waiting. Returns: nothing while another holds it.
    [[nodiscard]] std::optional<Locked> try_lock() { return if_locked(mutex_.try_lock()); }
    /// As lock(), for a time. Returns: nothing when that has passed.
    template <class Rep, class Period>
    [[nodiscard]] std::optional<Locked> try_lock_for(std::chrono::duration<Rep, Period> timeout) {
        return if_locked(mutex_.try_lock_for(timeout));
    }
    /// As lock(), up to a point in time. Returns: nothing when that has passed.
    template <class AnyClock, class Duration>
    [[nodiscard]] std::optional<Locked> try_lock_until(std::chrono::time_point<AnyClock, Duration> when) {
        return if_locked(mutex_.try_lock_until(when));
    }

    /// Returns: a copy of the value.
    [[nodiscard]] T load() requires std::copy_constructible<T> {
        const Locked held = lock();
        return value_;
    }
    /// Replaces the value; a value that is half changed is whole afterwards, so this throws no OwnerDied.
    void store(T value) requires std::assignable_from<T&, T> {
        mutex_.recover([&] { value_ = std::move(value); });
    }
    /// Effects: calls repair(value) with the lock, whether an owner died or not; as Mutex::recover().
    template <class F>
    requires std::invocable<F, T&>
    void recover(F&& repair) {
        mutex_.recover([&] { std::invoke(std::forward<F>(repair), value_); });
    }

private:
    [[nodiscard]] std::optional<Locked> if_locked(bool is_locked) {
        return is_locked ? std::optional<Locked>{Locked{*this}} : std::nullopt;
    }

    detail::sync::NamedMutex mutex_{"Guarded", OnOwnerDeath::report};
    union {
        T value_;
    };
};

template <class T>
inline constexpr bool enable_shared<Guarded<T>> = true;  // its constructor says what is wrong with T

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Guarded: a value and its lock, so that no access forgets it.

#include <procpool/core/platform.hpp>
#include <procpool/core/timed.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/sync/mutex.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

namespace detail::sync {

/// Whether a function, which is neither a template nor overloaded, takes a parameter by value.
template <class F>
inline constexpr bool takes_copies = false;
template <class Result, class... Parameters, bool is_noexcept>
inline constexpr bool takes_copies<Result (*)(Parameters...) noexcept(is_noexcept)> =
    (!std::is_reference_v<Parameters> || ...);
template <class Result, class Class, class... Parameters, bool is_noexcept>
inline constexpr bool takes_copies<Result (Class::*)(Parameters...) noexcept(is_noexcept)> =
    (!std::is_reference_v<Parameters> || ...);
template <class Result, class Class, class... Parameters, bool is_noexcept>
inline constexpr bool takes_copies<Result (Class::*)(Parameters...) const noexcept(is_noexcept)> =
    (!std::is_reference_v<Parameters> || ...);
template <class F>
requires requires { &F::operator(); }
inline constexpr bool takes_copies<F> = takes_copies<decltype(&F::operator())>;

/// Does not compile when f would change a copy of what it is given.
template <class F>
constexpr void require_references() {
    static_assert(!takes_copies<std::decay_t<F>>,
                  "procpool: this function takes a copy of the guarded value, so that its changes would be lost: take "
                  "it by reference, as in [](T& value) or [](const T& value)");
}

struct LocksTogether;

}  // namespace detail::sync

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
        friend detail::sync::LocksTogether;
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

    /// Returns: f(value), called with the lock. f takes the value by reference. See with_all() for several at a time.
    template <class F>
    requires std::invocable<F, T&>
    decltype(auto) with(F&& f) {
        detail::sync::require_references<F>();
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
    template <class Duration>
    [[nodiscard]] std::optional<Locked> try_lock_for(const Duration& timeout) {
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
        detail::sync::require_references<F>();
        mutex_.recover([&] { std::invoke(std::forward<F>(repair), value_); });
    }

private:
    friend detail::sync::LocksTogether;

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

namespace detail::sync {

struct LocksTogether {
    template <class F, class... T>
    static decltype(auto) with(F&& f, Guarded<T>&... all) {
        std::lock(all.mutex_...);
        const std::tuple<typename Guarded<T>::Locked...> held{typename Guarded<T>::Locked{all}...};
        return std::invoke(std::forward<F>(f), all.value_...);
    }
};

}  // namespace detail::sync

/// Returns: f(values...), called with the locks of all: `with_all(*from, *to, [](Account& a, Account& b) { … });`.
/// Calls that name the same objects in another order do not wait for each other for ever: none is held while another is
/// waited for. Throws: as Guarded, for the first that is in a bad way, with no lock; where a process dies within f,
/// each of the values is reported, and recovered, for itself.
template <class T, class U, class... Rest>
decltype(auto) with_all(Guarded<T>& first, Guarded<U>& second, Rest&&... rest_and_f) {
    const auto all = std::forward_as_tuple(first, second, std::forward<Rest>(rest_and_f)...);
    constexpr std::size_t count = sizeof...(Rest) + 1;
    using F = std::tuple_element_t<count, std::tuple<Guarded<T>&, Guarded<U>&, Rest&&...>>;
    detail::sync::require_references<F>();
    return [&]<std::size_t... place>(std::index_sequence<place...>)->decltype(auto) {
        return detail::sync::LocksTogether::with(static_cast<F>(std::get<count>(all)), std::get<place>(all)...);
    }
    (std::make_index_sequence<count>{});
}

}  // namespace procpool

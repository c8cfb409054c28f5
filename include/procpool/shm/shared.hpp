// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Shared: one object in memory that all processes of the program share.

#include <procpool/core/platform.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/shm/heap.hpp>
#include <procpool/shm/shareable.hpp>

#include <concepts>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

namespace detail::shm {

/// A lock for std::scoped_lock and the like; a Guarded is none.
template <class T>
concept LockOfGuards = requires(T& lock) {
    { lock.lock() } -> std::same_as<void>;
    { lock.unlock() } -> std::same_as<void>;
    { lock.try_lock() } -> std::same_as<bool>;
};

}  // namespace detail::shm

/// Owns one T in shared memory, at the same address in every process: capture or pass get(), or std::ref(*shared).
/// T is Shareable: trivially copyable, a lock-free atomic, an aggregate of such, or a type with enable_shared. All
/// processes see one object, which its owner alone destroys. Lifetime: must outlive the tasks that use it. Made before
/// or after the pool, in the process that builds the pool.
template <class T>
class Shared {
public:
    /// Constructs the T from the arguments. Throws: SharedMemoryExhausted; the exceptions of T's constructor.
    template <class... Args>
    requires std::constructible_from<T, Args...>
    explicit Shared(Args&&... args)
        : heap_(&detail::shm::Heap::of_this_process()),
          object_(heap_->allocate(sizeof(T), alignof(T))) {
        detail::shm::require_shareable<T>();
        static_assert(alignof(T) <= detail::shm::Heap::most_alignment, "procpool: Shared<T> aligns to a page at most");
        try {
            ::new (object_) T(std::forward<Args>(args)...);
        } catch (...) {
            heap_->deallocate(object_, sizeof(T), alignof(T));
            throw;
        }
    }
    Shared() requires(!std::constructible_from<T>) : heap_(nullptr), object_(nullptr) {
        static_assert(std::constructible_from<T>,
                      "procpool: this type is not made without arguments: give them, as in Shared<Semaphore> slots{4}");
    }
    PROCPOOL_UNCOPIED(Shared, a_Shared_is_not_copied__capture_its_get_or_pass_std_ref,
                      "procpool: a Shared is not copied: let a closure capture get(), or pass std::ref(*shared)")
    /// \{
    /// Takes the object over; it keeps its address. Assignment gives the other one the object that was here.
    Shared(Shared&& other) noexcept : heap_(other.heap_), object_(std::exchange(other.object_, nullptr)) {}
    Shared& operator=(Shared&& other) noexcept {
        std::swap(heap_, other.heap_);
        std::swap(object_, other.object_);
        return *this;
    }
    /// \}
    /// Destroys the object, but in a forked child that inherited it.
    ~Shared() {
        if (object_ == nullptr || !heap_->is_mine()) { return; }
        std::destroy_at(get());
        if constexpr (std::is_trivially_destructible_v<T>) {
            heap_->deallocate(object_, sizeof(T), alignof(T));
        } else {
            heap_->retire(object_, sizeof(T), alignof(T));  // others may still look at it, as those who slept on it do
        }
    }

    /// \{
    /// The object, at an address that is the same in every process. Null after a move.
    [[nodiscard]] T* get() const noexcept { return static_cast<T*>(object_); }
    [[nodiscard]] T& operator*() const noexcept { return *get(); }
    [[nodiscard]] T* operator->() const noexcept { return get(); }
    /// \}

    /// \{
    /// As of the lock that is shared, so that guards take the Shared: `const std::scoped_lock hold{shared};`.
    void lock() const requires detail::shm::LockOfGuards<T> { get()->lock(); }
    void unlock() const requires detail::shm::LockOfGuards<T> { get()->unlock(); }
    [[nodiscard]] bool try_lock() const requires detail::shm::LockOfGuards<T> { return get()->try_lock(); }
    template <class Duration>
    [[nodiscard]] bool try_lock_for(const Duration& timeout) const requires detail::shm::LockOfGuards<T> {
        return get()->try_lock_for(timeout);
    }
    template <class Time>
    [[nodiscard]] bool try_lock_until(const Time& when) const requires detail::shm::LockOfGuards<T> {
        return get()->try_lock_until(when);
    }
    /// \}

private:
    detail::shm::Heap* heap_;
    void* object_;
};

}  // namespace procpool

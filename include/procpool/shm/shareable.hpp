// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Shareable: objects that mean the same to every process that sees their memory; and errors for others that say what
/// to do.

#include <procpool/codec/aggregate.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/type_text.hpp>

#include <atomic>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

/// Declares that other processes can use an object of a class in shared memory: all it refers to is shared memory or
/// the same in every process, and locks in it are made for several processes:
///
///     template <> inline constexpr bool procpool::enable_shared<Mine> = true;
template <class T>
inline constexpr bool enable_shared = false;

namespace detail::shm {

template <class T>
inline constexpr bool is_atomic_v = std::is_same_v<T, std::atomic_flag>;
template <class T>
inline constexpr bool is_atomic_v<std::atomic<T>> = true;

template <class T>
consteval bool can_be_shared();

struct NotShareable {
    template <class T>
    static constexpr bool holds = !can_be_shared<T>();
};

/// T is without const. A type that is copied as bytes may hold addresses: those into shared memory are the same
/// everywhere.
template <class T>
consteval bool can_be_shared() {
    if constexpr (std::is_array_v<T>) {
        return can_be_shared<std::remove_cv_t<std::remove_all_extents_t<T>>>();
    } else if constexpr (enable_shared<T> || codec::CopiedAsBytes<T>) {
        return true;
    } else if constexpr (std::is_same_v<T, std::atomic_flag>) {
        return true;
    } else if constexpr (is_atomic_v<T>) {
        return T::is_always_lock_free;
    } else if constexpr (codec::AggregateClass<T>) {
        return !codec::may_have_field_that<T, NotShareable>();
    } else {
        return false;
    }
}

}  // namespace detail::shm

/// Trivially copyable types, lock-free atomics, types with enable_shared, and arrays and aggregates of these.
template <class T>
concept Shareable = detail::shm::can_be_shared<std::remove_cv_t<T>>();

namespace detail::shm {

/// Whether a name is that of a lock or the like of the standard library, whose header need not be included. They sleep
/// and wake within one process.
consteval bool is_lock_of_threads(std::string_view name) {
    if (!name.starts_with("std::")) { return false; }
    const std::string_view stem = name.substr(0, name.find('<'));
    for (const std::string_view ending : {"mutex", "::condition_variable", "::condition_variable_any", "::once_flag",
                                          "::counting_semaphore", "::latch", "::barrier"}) {
        if (stem.ends_with(ending)) { return true; }
    }
    return false;
}

/// The reason why an object of T cannot be shared.
enum class Hindrance { unknown, lock, container, not_lock_free };

template <class T>
consteval Hindrance find_hindrance() {
    if constexpr (is_atomic_v<T>) {
        return Hindrance::not_lock_free;
    } else if constexpr (std::is_class_v<T> && is_lock_of_threads(type_text<T>())) {
        return Hindrance::lock;
    } else if constexpr (requires(T & t) {
                             t.begin();
                             t.end();
                         }) {
        return Hindrance::container;
    } else {
        return Hindrance::unknown;
    }
}

template <class T>
struct not_shareable {
    static constexpr Hindrance hindrance = find_hindrance<T>();
    static_assert(
        hindrance != Hindrance::lock,
        "procpool: a std::mutex or another lock of the standard library works among the threads of one process only: "
        "share atomics, or use procpool::Mutex, procpool::Condition and their like");
    static_assert(
        hindrance != Hindrance::container,
        "procpool: a string or container keeps its elements in memory of one process, so that it means nothing to "
        "others: give it to the "
        "task as an argument, or share the elements in a procpool::SharedArray; for a container that keeps them in "
        "itself or in shared "
        "memory, write template <> inline constexpr bool procpool::enable_shared<T> = true; with this type for T");
    static_assert(
        hindrance != Hindrance::not_lock_free,
        "procpool: a std::atomic that is not lock-free has a lock of one process: share one that is, or several");
    static_assert(hindrance != Hindrance::unknown,
                  "procpool: this type may refer to what other processes have not, so it is not shared as it is: share "
                  "trivially copyable types, "
                  "lock-free atomics and aggregates of these, give it to the task as an argument, or, if all it refers "
                  "to is shared memory, write "
                  "template <> inline constexpr bool procpool::enable_shared<T> = true; with this type for T");
};

template <class T>
constexpr void require_shareable();

template <class... Fields>
constexpr void require_shareable_fields(codec::TypeList<Fields...>) {
    (require_shareable<Fields>(), ...);
}

/// Does not compile, and says which type is to blame, unless T is Shareable.
template <class T>
constexpr void require_shareable() {
    using Bare = std::remove_cv_t<std::remove_all_extents_t<T>>;
    if constexpr (Shareable<T>) {
        return;
    } else if constexpr (codec::Visitable<Bare>) {
        require_shareable_fields(codec::fields_t<Bare>{});
    } else {
        static_cast<void>(sizeof(not_shareable<Bare>));
    }
}

}  // namespace detail::shm

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// require_travels(): refuses types that cannot travel, and says what to write instead of common ones.

#include <procpool/codec/codec.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/codec/standard_kind.hpp>
#include <procpool/core/type_text.hpp>

#include <functional>
#include <memory>
#include <type_traits>

namespace procpool::inline v0::detail::codec {

struct NothingToSay {};

/// Holds the reason why a T cannot travel, and what to write instead. Specialise it with a `check` that asserts, for
/// types that many reach for.
template <class T>
struct why_refused {
    template <class Type>
    using check = NothingToSay;
};

template <class T>
struct why_refused<std::shared_ptr<T>> {
    template <class Type>
    struct check {
        static_assert(never<Type>,
                      "procpool: a std::shared_ptr cannot travel, since processes do not share what it points to: pass "
                      "or return the object itself or a std::unique_ptr, which are copied, or put it in shared memory "
                      "(SharedArray, Shared)");
    };
};
template <class T>
struct why_refused<std::weak_ptr<T>> : why_refused<std::shared_ptr<T>> {};

template <class T>
requires(name_in_standard(type_text<T>()) == "any") struct why_refused<T> {
    template <class Type>
    struct check {
        static_assert(never<Type>,
                      "procpool: a std::any cannot travel, since its contents are unknown: use a std::variant of the "
                      "possible types");
    };
};

/// std::function, std::move_only_function and the like.
template <class T>
concept TypeErased = std::is_class_v<T> && is_one_of(name_in_standard(type_text<T>()), "function", "move_only_function",
                                                     "copyable_function", "function_ref", "packaged_task");
template <TypeErased T>
struct why_refused<T> {
    template <class Type>
    struct check {
        static_assert(never<Type>,
                      "procpool: a std::function cannot travel, nor its like, since its contents are unknown: pass the "
                      "function or the lambda itself, or bind values to it by procpool::bind_front(f, values...)");
    };
};

/// Locks and the like, for the threads of one process.
template <class T>
requires(std::is_class_v<T>&& is_one_of(name_in_standard(type_text<T>()), "mutex", "timed_mutex", "recursive_mutex",
                                        "recursive_timed_mutex", "shared_mutex", "shared_timed_mutex",
                                        "condition_variable", "condition_variable_any", "once_flag", "latch", "barrier",
                                        "counting_semaphore", "lock_guard", "unique_lock", "shared_lock",
                                        "scoped_lock")) struct why_refused<T> {
    template <class Type>
    struct check {
        static_assert(never<Type>,
                      "procpool: a std::mutex or another lock of the standard library cannot travel, and a copy would "
                      "lock nothing: a task works on copies, which need no lock; return what comes of them, or share "
                      "atomics (procpool::Shared<std::atomic<int>>)");
    };
};
template <class T>
requires(std::is_class_v<T>&& is_one_of(name_in_standard(type_text<T>()), "atomic",
                                        "atomic_flag")) struct why_refused<T> {
    template <class Type>
    struct check {
        static_assert(never<Type>,
                      "procpool: a std::atomic cannot travel, since nobody would see the changes of a copy: put it in "
                      "shared memory, procpool::Shared<std::atomic<int>> n, and capture n.get(), or pass std::ref(*n)");
    };
};
template <class T>
requires(std::is_class_v<T>&& is_one_of(name_in_standard(type_text<T>()), "thread", "jthread", "future",
                                        "shared_future", "promise")) struct why_refused<T> {
    template <class Type>
    struct check {
        static_assert(never<Type>,
                      "procpool: a thread, future or promise of the standard library cannot travel, since it belongs "
                      "to one process: pass what it gives");
    };
};

/// Whether the class that it points to does not travel.
template <class T, class Deleter>
requires std::is_polymorphic_v<T>
struct why_refused<std::unique_ptr<T, Deleter>> {
    template <class Type>
    struct check {
        static_assert(
            never<Type>,
            "procpool: a std::unique_ptr to a base class cannot travel, since the class of the object that it "
            "points to is unknown: pass a "
            "std::variant of the derived classes, or the values that one of them is made from");
    };
};

template <class T>
requires(type_text<T>().starts_with("Eigen::")) struct why_refused<T> {
    template <class Type>
    struct check {
        static_assert(never<Type>,
                      "procpool: Eigen's matrices and arrays travel once procpool/eigen.hpp is included; an expression "
                      "does not: return "
                      "(...).eval(), or give the function a return type");
    };
};
template <class T>
requires(type_text<T>().starts_with("nlohmann::")) struct why_refused<T> {
    template <class Type>
    struct check {
        static_assert(never<Type>, "procpool: nlohmann::json travels once procpool/json.hpp is included");
    };
};

template <class T, class... Seen>
consteval auto find_refusal();

template <class... Seen>
consteval NothingToSay find_refusal_in(TypeList<>) {
    return {};
}
template <class... Seen, class Part, class... Parts>
consteval auto find_refusal_in(TypeList<Part, Parts...>) {
    using Found = decltype(find_refusal<std::remove_cv_t<std::remove_all_extents_t<Part>>, Seen...>());
    if constexpr (std::is_same_v<Found, NothingToSay>) {
        return find_refusal_in<Seen...>(TypeList<Parts...>{});
    } else {
        return Found{};
    }
}

/// The check of T, or of the first part of it that has one and does not travel, as a std::type_identity; or
/// NothingToSay.
template <class T, class... Seen>
consteval auto find_refusal() {
    if constexpr (std::is_void_v<T> || (std::is_same_v<T, Seen> || ...)) {
        return NothingToSay{};
    } else if constexpr (travels<T>()) {
        return NothingToSay{};
    } else if constexpr (!std::is_same_v<typename why_refused<T>::template check<T>, NothingToSay>) {
        return std::type_identity<typename why_refused<T>::template check<T>>{};
    } else if constexpr (requires { typename Codec<T>::parts; }) {
        return find_refusal_in<T, Seen...>(typename Codec<T>::parts{});
    } else {
        return NothingToSay{};
    }
}

/// Does not compile, and says why, unless T is Encodable. As all functions of its kind, it returns `auto`, so that
/// compilers instantiate it at once, before they meet the consequences of its error.
template <class T>
constexpr auto require_travels() {
    if constexpr (!Encodable<T>) {
        using Refusal = decltype(find_refusal<T>());
        if constexpr (std::is_same_v<Refusal, NothingToSay>) {
            require_encodable<T>();
        } else {
            static_cast<void>(sizeof(typename Refusal::type));
        }
    }
}

}  // namespace procpool::detail::codec

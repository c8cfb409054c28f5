// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Given: objects in shared memory that belong to the process that gets their address as an argument.

#include <procpool/core/config.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::core {

/// For a type of such objects a specialisation has
///   static void give(T&, std::int32_t pid, std::uint64_t start): in the giver, once the process runs. start: see
///     os::start_of_process(); 0 when it has ended
///   static void take(T&): in the process, before it does anything with the object
template <class T>
struct Given {
    static constexpr bool is_none = true;
};

template <class T>
inline constexpr bool is_reference_wrapper = false;
template <class T>
inline constexpr bool is_reference_wrapper<std::reference_wrapper<T>> = true;

/// Returns: the object that the argument is, or refers to as a pointer, std::reference_wrapper or Shared. Called where
/// is_given says that there is one.
template <class Argument>
[[nodiscard]] auto* given_object(Argument& argument) {
    if constexpr (std::is_pointer_v<std::remove_cv_t<Argument>>) {
        return argument;
    } else if constexpr (requires { requires std::is_pointer_v<decltype(argument.get())>; }) {  // Shared
        return argument.get();
    } else if constexpr (is_reference_wrapper<std::remove_cv_t<Argument>>) {
        return std::addressof(argument.get());
    } else {
        return std::addressof(argument);
    }
}

/// Whether an argument of this type is such an object.
template <class Argument>
inline constexpr bool is_given = [] {
    using Object = std::remove_pointer_t<decltype(given_object(std::declval<std::remove_reference_t<Argument>&>()))>;
    return !requires { Given<Object>::is_none; };
}();

template <class Argument, class Act>
void for_given([[maybe_unused]] Argument& argument, [[maybe_unused]] Act act) {
    if constexpr (is_given<Argument>) {
        if (auto* const object = given_object(argument); object != nullptr) {
            act(*object, Given<std::remove_pointer_t<decltype(given_object(argument))>>{});
        }
    }
}

/// Effects: give() and take() of those arguments that are such objects.
template <class... Args>
void give_all(std::int32_t pid, std::uint64_t start, Args&... args) {
    (for_given(args, [&](auto& object, auto given) { decltype(given)::give(object, pid, start); }), ...);
}
template <class... Args>
void take_all(Args&... args) {
    (for_given(args, [](auto& object, auto given) { decltype(given)::take(object); }), ...);
}

}  // namespace procpool::detail::core

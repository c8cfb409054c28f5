// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// passed<T>: how a decoded argument is passed to its function. Repeated<T>: an argument that several calls have in
/// common.

#include <procpool/codec/codec.hpp>
#include <procpool/codec/wire_type.hpp>

#include <string>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::codec {

/// Refers to the argument, so that no call can take it away from the next one.
template <class T>
struct Repeated {
    const T* value;
};
/// The same for functions that want a const C*.
template <class C>
struct RepeatedText {
    const std::basic_string<C>* value;
};

template <class T>
inline constexpr bool is_repeated_v = false;
template <class T>
inline constexpr bool is_repeated_v<Repeated<T>> = true;

/// Never travels itself: the code that makes it sends the T.
template <class T>
struct BuiltInCodec<Repeated<T>, StandardKind::other> {
    using parts = TypeList<T>;
};

template <class C>
struct as_pointer<Repeated<std::basic_string<C>>, Repeated<std::basic_string<C>>> {
    using type = RepeatedText<C>;
};

/// A decoded argument of type T is passed as a `type`, which from() makes of it: an rvalue, unless it is Repeated.
template <class T>
struct passed {
    using type = T&&;
    static T&& from(T& decoded) noexcept { return std::move(decoded); }
};
template <class T>
struct passed<Repeated<T>> {
    using type = const T&;
    static const T& from(const Repeated<T>& decoded) noexcept { return *decoded.value; }
};
template <class C>
struct passed<RepeatedText<C>> {
    using type = const C*;
    static const C* from(const RepeatedText<C>& decoded) noexcept { return decoded.value->c_str(); }
};

template <class T>
using passed_t = typename passed<T>::type;

}  // namespace procpool::detail::codec

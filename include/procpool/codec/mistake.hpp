// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// mistake_t: why a call cannot be made, as far as the function's type shows.

#include <procpool/codec/fields.hpp>

#include <cstddef>
#include <functional>
#include <stop_token>
#include <type_traits>

namespace procpool::inline v0 {

class Random;

}  // namespace procpool

namespace procpool::inline v0::detail::codec {

/// False for all T, but only once they are known: for messages.
template <class... T>
inline constexpr bool never = false;

/// The result of a call that cannot be made. It converts to anything, and has members of futures and ranges, so that
/// the call's error is the only one.
struct this_call_is_refused {
    template <class T>
    operator T() const noexcept;
    this_call_is_refused get() const noexcept;
    const this_call_is_refused* begin() const noexcept;
    const this_call_is_refused* end() const noexcept;
    std::size_t size() const noexcept;
};

/// The parameters of a function as a TypeList, as far as its type shows; void for a generic lambda and its like.
template <class F>
struct parameters {
    using type = void;
};
// clang-format off
template <class R, class... P> struct parameters<R(P...)> { using type = TypeList<P...>; };
template <class R, class... P> struct parameters<R(P...) noexcept> { using type = TypeList<P...>; };
template <class R, class... P> struct parameters<R(P...) const> { using type = TypeList<P...>; };
template <class R, class... P> struct parameters<R(P...) const noexcept> { using type = TypeList<P...>; };
template <class R, class... P> struct parameters<R(P...) &> { using type = TypeList<P...>; };
template <class R, class... P> struct parameters<R(P...) & noexcept> { using type = TypeList<P...>; };
template <class R, class... P> struct parameters<R(P...) const&> { using type = TypeList<P...>; };
template <class R, class... P> struct parameters<R(P...) const& noexcept> { using type = TypeList<P...>; };
template <class R, class... P> struct parameters<R(P...) &&> { using type = TypeList<P...>; };
template <class R, class... P> struct parameters<R(P...) && noexcept> { using type = TypeList<P...>; };
// clang-format on
template <class F>
requires std::is_function_v<F>
struct parameters<F*> : parameters<F> {
};
template <class Member>
struct parameters_of_member : parameters<void> {};
template <class C, class F>
requires std::is_function_v<F>
struct parameters_of_member<F C::*> : parameters<F> {
};
template <class F>
requires requires { &F::operator(); }
struct parameters<F> : parameters_of_member<decltype(&F::operator())> {};
template <class Object, class List>
struct after_object : parameters<void> {};
template <class Object, class... P>
struct after_object<Object, TypeList<P...>> {
    using type = TypeList<Object, P...>;
};
/// A pointer to a member function gets its object first.
template <class C, class F>
requires std::is_function_v<F>
struct parameters<F C::*> : after_object<const C&, typename parameters<F>::type> {
};

struct NotAFunction {};    ///< nor is a range
struct TakesReference {};  ///< T&, to what is a copy in the worker
template <std::size_t Given, std::size_t Wanted>
struct TooFew {};
template <std::size_t Given, std::size_t Wanted>
struct TooMany {};
template <std::size_t Position, class Given, class Wanted>
struct WrongType {};
template <class Mistake>
struct TakesRandom {};       ///< Random& comes last, which is right in a call over many items; what is wrong besides
struct TakesRandomWrong {};  ///< a Random as another parameter, or by value
struct WrongBound {};        ///< a bound value does not convert, or there are more than parameters
struct OtherMistake {};

template <std::size_t Position, class Given, class... Givens, class Wanted, class... Wanteds>
consteval auto find_wrong_type(TypeList<Given, Givens...>, TypeList<Wanted, Wanteds...>) {
    if constexpr (!std::is_convertible_v<Given, Wanted>) {
        return WrongType<Position, std::remove_cvref_t<Given>, Wanted>{};
    } else if constexpr (sizeof...(Givens) != 0) {
        return find_wrong_type<Position + 1>(TypeList<Givens...>{}, TypeList<Wanteds...>{});
    } else {
        return OtherMistake{};
    }
}

template <class... Passed>
inline constexpr bool begins_with_stop_token_v = false;
template <class First, class... Passed>
inline constexpr bool begins_with_stop_token_v<First, Passed...> =
    std::is_same_v<std::remove_cvref_t<First>, std::stop_token>;

template <class... Passed, class Wanted, class... Wanteds>
consteval auto compare_parameters(TypeList<Passed...> passed, TypeList<Wanted, Wanteds...>) {
    constexpr std::size_t wanted = sizeof...(Wanteds) + 1;
    if constexpr (std::is_same_v<std::remove_cvref_t<Wanted>, std::stop_token> &&
                  !begins_with_stop_token_v<Passed...>) {
        return compare_parameters(passed, TypeList<Wanteds...>{});
    } else if constexpr (sizeof...(Passed) < wanted) {
        return TooFew<sizeof...(Passed), wanted>{};
    } else if constexpr (sizeof...(Passed) > wanted) {
        return TooMany<sizeof...(Passed), wanted>{};
    } else {
        return find_wrong_type<1>(passed, TypeList<Wanted, Wanteds...>{});
    }
}
template <class... Passed>
consteval auto compare_parameters(TypeList<Passed...>, TypeList<>) {
    if constexpr (sizeof...(Passed) != 0) {
        return TooMany<sizeof...(Passed), 0>{};
    } else {
        return OtherMistake{};
    }
}

template <class T>
inline constexpr bool is_random_v = std::is_same_v<std::remove_cvref_t<T>, Random>;

/// As compare_parameters(), where one of those that are wanted is a Random, and none that is passed. Before, Wanted,
/// Wanteds: the parameters.
template <class... Passed, class... Before, class Wanted, class... Wanteds>
consteval auto find_random(TypeList<Passed...> passed, TypeList<Before...>, TypeList<Wanted, Wanteds...>) {
    if constexpr (is_random_v<Wanted> && (sizeof...(Wanteds) != 0 || !std::is_same_v<Wanted, Random&>)) {
        return TakesRandomWrong{};
    } else if constexpr (is_random_v<Wanted>) {
        return TakesRandom<decltype(compare_parameters(passed, TypeList<Before...>{}))>{};
    } else {
        return find_random(passed, TypeList<Before..., Wanted>{}, TypeList<Wanteds...>{});
    }
}
template <class... Passed, class... Wanted>
consteval auto find_mistaken_parameter(TypeList<Passed...> passed, TypeList<Wanted...> wanted) {
    if constexpr ((is_random_v<Wanted> || ...) && !(is_random_v<Passed> || ...)) {
        return find_random(passed, TypeList<>{}, wanted);
    } else {
        return compare_parameters(passed, wanted);
    }
}

template <class F>
inline constexpr bool may_be_function_v = std::is_class_v<F> || std::is_union_v<F> || std::is_member_pointer_v<F> ||
                                          std::is_function_v<std::remove_pointer_t<F>>;

template <class F>
inline constexpr bool looks_like_range_v = requires(F& f) {
    f.begin();
    f.end();
};

/// Why an F cannot be called with what is Passed, as one of the types above. Specialised for function objects that pass
/// calls on.
template <class F, class... Passed>
struct mistake {
    static consteval auto find() {
        if constexpr (!may_be_function_v<F> || looks_like_range_v<F>) {
            return NotAFunction{};
        } else if constexpr (std::is_invocable_v<F&, std::remove_cvref_t<Passed>&...>) {
            return TakesReference{};
        } else if constexpr (std::is_void_v<typename parameters<F>::type>) {
            return OtherMistake{};
        } else {
            return find_mistaken_parameter(TypeList<Passed...>{}, typename parameters<F>::type{});
        }
    }
    using type = decltype(find());
};
/// A mistake in a call that has `Bound` values before what is passed: as one of what is passed, where it is.
template <class Mistake, std::size_t Bound>
struct after_bound {
    using type = Mistake;
};
template <std::size_t Given, std::size_t Wanted, std::size_t Bound>
requires(Given >= Bound) struct after_bound<TooFew<Given, Wanted>, Bound> {
    using type = TooFew<Given - Bound, Wanted - Bound>;
};
template <std::size_t Given, std::size_t Wanted, std::size_t Bound>
struct after_bound<TooMany<Given, Wanted>, Bound> {
    using type = std::conditional_t<(Wanted < Bound), WrongBound, TooMany<Given - Bound, Wanted - Bound>>;
};
template <std::size_t Position, class Given, class Wanted, std::size_t Bound>
struct after_bound<WrongType<Position, Given, Wanted>, Bound> {
    using type = std::conditional_t<(Position <= Bound), WrongBound, WrongType<Position - Bound, Given, Wanted>>;
};
template <class Mistake, std::size_t Bound>
struct after_bound<TakesRandom<Mistake>, Bound> {
    using type = TakesRandom<typename after_bound<Mistake, Bound>::type>;
};

template <class F, class... Passed>
using mistake_t = typename mistake<F, Passed...>::type;

}  // namespace procpool::detail::codec

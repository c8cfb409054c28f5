// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MemoCall: the call of a memo's function, as far as types go: how it gets its arguments, and what is kept.

#include <procpool/codec/call.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/codec/refusal.hpp>
#include <procpool/core/requirements.hpp>
#include <procpool/persist/ignore.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::persist {

/// How an argument is given to the function: as it is if it is what it would arrive as, and no lvalue to change;
/// otherwise as what it would arrive as.
template <class Arg, class Wire>
struct given {
    using type = Wire&&;
};
template <class Arg>
requires(!is_ignored_v<std::remove_cvref_t<Arg>>) struct given<Arg, std::remove_cvref_t<Arg>> {
    using type = std::conditional_t<std::is_lvalue_reference_v<Arg>, const std::remove_cvref_t<Arg>&, Arg&&>;
};
template <class Arg>
requires is_ignored_v<std::remove_cvref_t<Arg>>
struct given<Arg, std::remove_cvref_t<Arg>> {
    using Value = decltype(std::remove_cvref_t<Arg>::value);
    using type = std::conditional_t<std::is_rvalue_reference_v<Arg&&>, Value&&, const Value&>;
};

template <class Arg>
using given_t = typename given<Arg, codec::wire_type_t<Arg>>::type;
/// For functions that want a const C*.
template <class Arg>
using given_as_pointer_t = typename given<Arg, codec::wire_type_as_pointer_t<Arg>>::type;

/// The call of a const F: one that changes itself would give another result each time.
template <class F, class... Args>
struct MemoCall {
    static constexpr bool is_direct = std::is_invocable_v<const F&, given_t<Args>...>;
    static constexpr bool is_possible = is_direct || std::is_invocable_v<const F&, given_as_pointer_t<Args>...>;

    template <class Arg>
    using Given = typename std::conditional_t<is_direct, given<Arg, codec::wire_type_t<Arg>>,
                                              given<Arg, codec::wire_type_as_pointer_t<Arg>>>::type;

    template <bool>
    struct Returns {
        using type = std::invoke_result_t<const F&, Given<Args>...>;
    };
    template <bool Is>
    requires(!Is) struct Returns<Is> {
        using type = codec::this_call_is_refused;
    };
    using Returned = typename Returns<is_possible>::type;
    using Result = typename codec::returned<Returned>::type;
};

/// Whether a T may hold an address, which means nothing to the next run.
template <class T, class... Seen>
consteval bool holds_address();
template <class... Parts, class... Seen>
consteval bool any_holds_address(codec::TypeList<Parts...>, codec::TypeList<Seen...>) {
    return (holds_address<std::remove_cv_t<std::remove_all_extents_t<Parts>>, Seen...>() || ...);
}
template <class T, class... Seen>
consteval bool holds_address() {
    if constexpr ((std::is_same_v<T, Seen> || ...) || std::is_void_v<T>) {
        return false;
    } else if constexpr (std::is_pointer_v<T>) {
        return !std::is_function_v<std::remove_pointer_t<T>>;
    } else if constexpr (codec::is_span_v<T> || requires {
                             []<class U>(std::type_identity<std::reference_wrapper<U>>) {}(std::type_identity<T>{});
                         }) {
        return true;
    } else if constexpr (codec::Visitable<T> && !requires { requires Codec<T>::plain; }) {
        return any_holds_address(codec::fields_t<T>{}, codec::TypeList<T, Seen...>{});
    } else if constexpr (requires { typename Codec<T>::parts; }) {
        return any_holds_address(typename Codec<T>::parts{}, codec::TypeList<T, Seen...>{});
    } else {
        return false;
    }
}

template <class Returned>
struct not_kept {
    static_assert(!std::is_void_v<Returned>,
                  "procpool: a memo keeps results, and this function returns nothing: return what it computes");
    static_assert(!std::is_reference_v<Returned>,
                  "procpool: a memo cannot keep a reference, which means nothing to the next run: let the function "
                  "return a value (in a lambda, without `-> auto&` or `decltype(auto)`)");
    static_assert(
        std::is_void_v<Returned> || std::is_reference_v<Returned>,
        "procpool: a memo cannot keep a result that holds a pointer, a std::reference_wrapper or a std::span, "
        "which means nothing to the next run: let the function return the value itself");
};

/// Does not compile, and says why, unless the result of the call can be kept.
template <class Call>
constexpr auto require_kept() {
    using Returned = typename Call::Returned;
    if constexpr (std::is_void_v<Returned> || std::is_reference_v<Returned>) {
        static_cast<void>(sizeof(not_kept<Returned>));
    } else if constexpr (!Encodable<typename Call::Result>) {
        codec::require_travels<typename Call::Result>();
    } else if constexpr (holds_address<typename Call::Result>()) {
        static_cast<void>(sizeof(not_kept<Returned>));
    } else {
        static_assert(codec::outlives_reader_v<typename Call::Result>,
                      "procpool: a memo cannot keep a result that holds a string_view: return std::string");
    }
}

template <class F>
inline constexpr bool has_only_other_calls = false;
template <class F>
requires requires { &F::operator(); }
inline constexpr bool has_only_other_calls<F> = [] {
    return !requires {
        []<class R, class... P>(R (F::*)(P...) const) {}(&F::operator());
    }
    &&!requires {
        []<class R, class... P>(R (F::*)(P...) const noexcept) {}(&F::operator());
    }
    &&!requires {
        []<class R, class... P>(R (F::*)(P...) const&) {}(&F::operator());
    }
    &&!requires {
        []<class R, class... P>(R (F::*)(P...) const& noexcept) {}(&F::operator());
    };
}();

template <class F>
struct changes_itself {
    static_assert(
        codec::never<F>,
        "procpool: a memo keeps what a function computes from its arguments, and this function object changes "
        "itself when it is called: take `mutable` away, or make its operator() const");
};

template <class Parameters>
inline constexpr bool has_random = false;
template <class... P>
inline constexpr bool has_random<codec::TypeList<P...>> = (std::is_same_v<P, Random&> || ...);
/// Whether F's type shows that it takes random numbers.
template <class F>
inline constexpr bool takes_random_v = has_random<typename codec::parameters<F>::type>;

template <class F>
struct takes_random {
    static_assert(codec::never<F>,
                  "procpool: a memo keeps what a function computes from its arguments, and this one also takes random "
                  "numbers: let it take the seed of its own Random as an argument");
};

/// Does not compile, and says why, unless an F can be a memo's function.
template <class F>
constexpr auto require_function() {
    if constexpr (!codec::may_be_function_v<F> || !codec::Sendable<F>) {
        codec::require_sendable<F>();
    } else if constexpr (has_only_other_calls<F>) {
        static_cast<void>(sizeof(changes_itself<F>));
    } else if constexpr (takes_random_v<F>) {
        static_cast<void>(sizeof(takes_random<F>));
    }
}
template <class F>
inline constexpr bool may_be_kept_v =
    codec::may_be_function_v<F>&& codec::Sendable<F> && !has_only_other_calls<F> && !takes_random_v<F>;

}  // namespace procpool::detail::persist

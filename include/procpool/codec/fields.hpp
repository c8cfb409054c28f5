// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The fields of an aggregate, found by trying initialisers: how many fields it has, and whether all of them are of a
/// kind. Boost.PFR answers this too, but not for aggregates with C arrays, bit-fields, bases or anonymous unions.

#include <cstddef>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::codec {

/// Types in order, without making any value of them.
template <class... Types>
struct TypeList {};

/// Limits of the count: beyond the first only on request, never beyond the second.
inline constexpr std::size_t most_initialisers = 64;
inline constexpr std::size_t most_initialisers_ever = 256;

/// Initialises any field of T; named in unevaluated expressions only, as are the next three.
template <class T>
struct AnyField {
    template <class U>
    requires(!std::is_same_v<U, T> && !std::is_array_v<U>) operator U() const noexcept {
        __builtin_unreachable();  // defined for the sake of constructors that compilers look into
    }
};

/// Initialises any field that is a reference, and most others.
template <class T>
struct AnyLvalue {
    template <class U>
    requires(!std::is_same_v<U, T>) operator U&() const noexcept { __builtin_unreachable(); }
};

/// Initialises a base of T and nothing else.
template <class T>
struct AnyBase {
    template <class U>
    requires(std::is_base_of_v<U, T> && !std::is_same_v<U, T>) operator U() const noexcept { __builtin_unreachable(); }
};

/// Initialises the fields of T that Wanted::holds<field>, and no other.
template <class T, class Wanted>
struct AnyFieldThat {
    template <class U>
    requires(!std::is_same_v<U, T> && !std::is_array_v<U> && Wanted::template holds<U>) operator U() const noexcept {
        __builtin_unreachable();
    }
};

template <std::size_t, class Initialiser>
using Each = Initialiser;

/// A class that is initialised field by field; those of bases come before those of fields.
template <class T>
concept AggregateClass = std::is_class_v<T> && std::is_aggregate_v<T>;

/// An aggregate whose initialisers correspond to fields, and to fields only.
template <class T>
concept PlainStruct = AggregateClass<T> && !requires {
    T{AnyBase<T>{}};
};

template <class T, std::size_t... At>
consteval bool takes_initialisers(std::index_sequence<At...>) {
    return requires { T{Each<At, AnyField<T>>{}...}; };
}

template <class T, std::size_t Most, std::size_t Count = 1, bool Found = false>
consteval std::size_t count_initialisers() {
    if constexpr (Count > Most) {
        return Found ? Count : 0;
    } else if constexpr (takes_initialisers<T>(std::make_index_sequence<Count>{})) {
        return count_initialisers<T, Most, Count + 1, true>();
    } else {
        return Found ? Count - 1 : count_initialisers<T, Most, Count + 1, false>();
    }
}

/// Whether T has a field behind those of its first initialisers: one that AnyField does not initialise, but that need
/// not be initialised.
template <class T, std::size_t... At>
consteval bool takes_more(std::index_sequence<At...>) {
    return requires { T{Each<At, AnyField<T>>{}..., {}}; }
    || requires { T{Each<At, AnyField<T>>{}..., AnyLvalue<T>{}}; };
}

template <class T>
consteval std::size_t count_all_initialisers() {
    constexpr std::size_t count = count_initialisers<T, most_initialisers>();
    if constexpr (count > most_initialisers) {
        return count;
    } else {
        return takes_more<T>(std::make_index_sequence<count>{}) ? 0 : count;
    }
}

/// How many initialisers T{...} takes, each element of a C array being one. 0: none, or no number works, as with a
/// field that is a reference to what is not const. Above most_initialisers: not known.
template <AggregateClass T>
inline constexpr std::size_t initialisers_v = count_all_initialisers<T>();

/// The braces of T{...} where the initialiser behind `Before` others is one for which Wanted holds.
template <class T, class Wanted, std::size_t... Before, std::size_t... After>
consteval bool takes_wanted(std::index_sequence<Before...>, std::index_sequence<After...>) {
    return requires { T{Each<Before, AnyField<T>>{}..., AnyFieldThat<T, Wanted>{}, Each<After, AnyField<T>>{}...}; };
}

template <class T, class Wanted, std::size_t... At>
consteval bool has_wanted(std::index_sequence<At...>) {
    return (
        takes_wanted<T, Wanted>(std::make_index_sequence<At>{}, std::make_index_sequence<sizeof...(At) - At - 1>{}) ||
        ...);
}

/// Whether Wanted::holds<U> for the type U of any field or base, or of what a reference refers to. Requires: T takes
/// `Count` initialisers.
template <class T, class Wanted, std::size_t Count = initialisers_v<T>>
inline constexpr bool has_field_that_v = has_wanted<T, Wanted>(std::make_index_sequence<Count>{});

template <class T, std::size_t... Before, std::size_t... Inside, std::size_t... After>
consteval bool takes_braces(std::index_sequence<Before...>, std::index_sequence<Inside...>,
                            std::index_sequence<After...>) {
    return requires {
        T{Each<Before, AnyField<T>>{}..., {Each<Inside, AnyField<T>>{}...}, Each<After, AnyField<T>>{}...};
    };
}

/// Whether T takes `before` initialisers, then `inside` in braces of their own, then `after`.
template <class T, std::size_t before, std::size_t inside, std::size_t after>
inline constexpr bool takes_braces_v = takes_braces<T>(std::make_index_sequence<before>{},
                                                       std::make_index_sequence<inside>{},
                                                       std::make_index_sequence<after>{});

/// How many initialisers the field that starts at initialiser `At` takes: those of a C array can be put in braces, and
/// then leave no room for one more behind them.
template <class T, std::size_t At, std::size_t Size>
consteval std::size_t width_of_field() {
    constexpr std::size_t rest = initialisers_v<T> - At;
    if constexpr (Size < 2) {
        return 1;
    } else if constexpr (takes_braces_v<T, At, Size, rest - Size> && !takes_braces_v<T, At, Size, rest - Size + 1>) {
        return Size;
    } else {
        return width_of_field<T, At, Size - 1>();
    }
}

template <class T, std::size_t At = 0>
consteval std::size_t count_fields() {
    constexpr std::size_t rest = initialisers_v<T> - At;
    if constexpr (rest < 2) {
        return rest;
    } else if constexpr (takes_braces_v<T, At, 2, 0> || takes_braces_v<T, At, 2, rest - 2>) {
        return 1 + count_fields<T, At + width_of_field<T, At, rest>()>();
    } else {
        return 1 + count_fields<T, At + 1>();
    }
}

}  // namespace procpool::detail::codec

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// visit_fields(): an aggregate's fields, one by one.

#include <procpool/codec/fields.hpp>
#include <procpool/core/type_text.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::codec {

/// Fields beyond this are not visited.
inline constexpr std::size_t most_fields = 32;

// PROCPOOL_LIST_3(ITEM) is ITEM(1), ITEM(2), ITEM(3).
#define PROCPOOL_LIST_1(ITEM) ITEM(1)
#define PROCPOOL_LIST_2(ITEM) PROCPOOL_LIST_1(ITEM), ITEM(2)
#define PROCPOOL_LIST_3(ITEM) PROCPOOL_LIST_2(ITEM), ITEM(3)
#define PROCPOOL_LIST_4(ITEM) PROCPOOL_LIST_3(ITEM), ITEM(4)
#define PROCPOOL_LIST_5(ITEM) PROCPOOL_LIST_4(ITEM), ITEM(5)
#define PROCPOOL_LIST_6(ITEM) PROCPOOL_LIST_5(ITEM), ITEM(6)
#define PROCPOOL_LIST_7(ITEM) PROCPOOL_LIST_6(ITEM), ITEM(7)
#define PROCPOOL_LIST_8(ITEM) PROCPOOL_LIST_7(ITEM), ITEM(8)
#define PROCPOOL_LIST_9(ITEM) PROCPOOL_LIST_8(ITEM), ITEM(9)
#define PROCPOOL_LIST_10(ITEM) PROCPOOL_LIST_9(ITEM), ITEM(10)
#define PROCPOOL_LIST_11(ITEM) PROCPOOL_LIST_10(ITEM), ITEM(11)
#define PROCPOOL_LIST_12(ITEM) PROCPOOL_LIST_11(ITEM), ITEM(12)
#define PROCPOOL_LIST_13(ITEM) PROCPOOL_LIST_12(ITEM), ITEM(13)
#define PROCPOOL_LIST_14(ITEM) PROCPOOL_LIST_13(ITEM), ITEM(14)
#define PROCPOOL_LIST_15(ITEM) PROCPOOL_LIST_14(ITEM), ITEM(15)
#define PROCPOOL_LIST_16(ITEM) PROCPOOL_LIST_15(ITEM), ITEM(16)
#define PROCPOOL_LIST_17(ITEM) PROCPOOL_LIST_16(ITEM), ITEM(17)
#define PROCPOOL_LIST_18(ITEM) PROCPOOL_LIST_17(ITEM), ITEM(18)
#define PROCPOOL_LIST_19(ITEM) PROCPOOL_LIST_18(ITEM), ITEM(19)
#define PROCPOOL_LIST_20(ITEM) PROCPOOL_LIST_19(ITEM), ITEM(20)
#define PROCPOOL_LIST_21(ITEM) PROCPOOL_LIST_20(ITEM), ITEM(21)
#define PROCPOOL_LIST_22(ITEM) PROCPOOL_LIST_21(ITEM), ITEM(22)
#define PROCPOOL_LIST_23(ITEM) PROCPOOL_LIST_22(ITEM), ITEM(23)
#define PROCPOOL_LIST_24(ITEM) PROCPOOL_LIST_23(ITEM), ITEM(24)
#define PROCPOOL_LIST_25(ITEM) PROCPOOL_LIST_24(ITEM), ITEM(25)
#define PROCPOOL_LIST_26(ITEM) PROCPOOL_LIST_25(ITEM), ITEM(26)
#define PROCPOOL_LIST_27(ITEM) PROCPOOL_LIST_26(ITEM), ITEM(27)
#define PROCPOOL_LIST_28(ITEM) PROCPOOL_LIST_27(ITEM), ITEM(28)
#define PROCPOOL_LIST_29(ITEM) PROCPOOL_LIST_28(ITEM), ITEM(29)
#define PROCPOOL_LIST_30(ITEM) PROCPOOL_LIST_29(ITEM), ITEM(30)
#define PROCPOOL_LIST_31(ITEM) PROCPOOL_LIST_30(ITEM), ITEM(31)
#define PROCPOOL_LIST_32(ITEM) PROCPOOL_LIST_31(ITEM), ITEM(32)
// clang-format off
#define PROCPOOL_FOR_EACH_COUNT(USE) \
    USE(1) USE(2) USE(3) USE(4) USE(5) USE(6) USE(7) USE(8) \
    USE(9) USE(10) USE(11) USE(12) USE(13) USE(14) USE(15) USE(16) \
    USE(17) USE(18) USE(19) USE(20) USE(21) USE(22) USE(23) USE(24) \
    USE(25) USE(26) USE(27) USE(28) USE(29) USE(30) USE(31) USE(32)
#define PROCPOOL_BRACES(number) {}
#define PROCPOOL_NAME(number) f##number
#define PROCPOOL_TYPE(number) std::remove_cv_t<decltype(f##number)>
// clang-format on

/// Whether T{{}, {}, ...} takes Count empty braces, each for a whole field or base, and an `Extra` behind them.
template <class T, std::size_t Count, class... Extra>
consteval bool takes_empty_braces() {
#define PROCPOOL_TAKES(count)                                                       \
    if constexpr (Count == count) {                                                 \
        return requires { T{PROCPOOL_LIST_##count(PROCPOOL_BRACES), Extra{}...}; }; \
    }
    PROCPOOL_FOR_EACH_COUNT(PROCPOOL_TAKES)
#undef PROCPOOL_TAKES
    if constexpr (Count == 0) {
        return requires { T{Extra{}...}; };
    }
    return false;
}

template <class T, std::size_t Count = 0>
consteval std::size_t count_empty_braces() {
    if constexpr (Count != most_fields && takes_empty_braces<T, Count + 1>()) {
        return count_empty_braces<T, Count + 1>();
    } else {  // a field that no braces initialise is not counted, such as a class whose default constructor is explicit
        return takes_empty_braces<T, Count, AnyField<T>>() ? 0 : Count;
    }
}

/// How many fields and bases T has, when all can be initialised by {}; 0 otherwise. Works for fields that are large
/// arrays.
template <AggregateClass T>
inline constexpr std::size_t empty_braces_v = count_empty_braces<T>();

template <class T, class Wanted, std::size_t... Before>
consteval bool has_wanted_behind_braces(std::index_sequence<Before...>) {
    return (takes_empty_braces<T, Before, AnyFieldThat<T, Wanted>>() || ...);
}

/// Whether Wanted::holds<U> for the type U of any field or base of T, of an element of an array, or of what a reference
/// refers to. True also where the fields cannot be found.
template <AggregateClass T, class Wanted>
consteval bool may_have_field_that() {
    if constexpr (initialisers_v<T> == 0) {
        return true;
    } else if constexpr (initialisers_v<T> <= most_initialisers) {
        return has_field_that_v<T, Wanted>;
    } else if constexpr (empty_braces_v<T> != 0) {
        return has_wanted_behind_braces<T, Wanted>(std::make_index_sequence<empty_braces_v<T>>{});
    } else if constexpr (constexpr std::size_t count =
                             count_initialisers<T, most_initialisers_ever, most_initialisers, true>();
                         count <= most_initialisers_ever) {
        return has_field_that_v<T, Wanted, count>;
    } else {
        return true;
    }
}

struct UnnamedUnion {
    template <class T>
    static constexpr bool holds = is_unnamed_union_v<T>;
};

template <class T>
consteval std::size_t count_visitable_fields() {
    if constexpr (!PlainStruct<T>) {
        return 0;
    } else if constexpr (may_have_field_that<T, UnnamedUnion>()) {
        return 0;  // its members would be T's, without a field that holds them
    } else if constexpr (initialisers_v<T> > most_initialisers) {
        return empty_braces_v<T>;
    } else {
        return count_fields<T>();
    }
}

/// How many fields T has; 0 when it is no aggregate, or one that cannot be taken apart.
template <class T>
inline constexpr std::size_t field_count_v = count_visitable_fields<T>();

/// An aggregate that visit_fields() takes apart.
template <class T>
concept Visitable = (field_count_v<T> != 0) && (field_count_v<T> <= most_fields);

/// Returns: visit(fields...). Requires: Visitable<remove_const_t<T>>.
template <class T, class Visit>
constexpr decltype(auto) visit_fields(T& value, Visit&& visit) {
    using Struct = std::remove_const_t<T>;
#define PROCPOOL_VISIT(count)                                 \
    if constexpr (field_count_v<Struct> == count) {           \
        auto& [PROCPOOL_LIST_##count(PROCPOOL_NAME)] = value; \
        return visit(PROCPOOL_LIST_##count(PROCPOOL_NAME));   \
    }
    PROCPOOL_FOR_EACH_COUNT(PROCPOOL_VISIT)
#undef PROCPOOL_VISIT
}

/// Declared only for its type.
template <class T>
constexpr auto list_fields(const T& value) {
#define PROCPOOL_LIST(count)                                                         \
    if constexpr (field_count_v<T> == count) {                                       \
        [[maybe_unused]] const auto& [PROCPOOL_LIST_##count(PROCPOOL_NAME)] = value; \
        return TypeList<PROCPOOL_LIST_##count(PROCPOOL_TYPE)>{};                     \
    }
    PROCPOOL_FOR_EACH_COUNT(PROCPOOL_LIST)
#undef PROCPOOL_LIST
}

#undef PROCPOOL_LIST_1
#undef PROCPOOL_LIST_2
#undef PROCPOOL_LIST_3
#undef PROCPOOL_LIST_4
#undef PROCPOOL_LIST_5
#undef PROCPOOL_LIST_6
#undef PROCPOOL_LIST_7
#undef PROCPOOL_LIST_8
#undef PROCPOOL_LIST_9
#undef PROCPOOL_LIST_10
#undef PROCPOOL_LIST_11
#undef PROCPOOL_LIST_12
#undef PROCPOOL_LIST_13
#undef PROCPOOL_LIST_14
#undef PROCPOOL_LIST_15
#undef PROCPOOL_LIST_16
#undef PROCPOOL_LIST_17
#undef PROCPOOL_LIST_18
#undef PROCPOOL_LIST_19
#undef PROCPOOL_LIST_20
#undef PROCPOOL_LIST_21
#undef PROCPOOL_LIST_22
#undef PROCPOOL_LIST_23
#undef PROCPOOL_LIST_24
#undef PROCPOOL_LIST_25
#undef PROCPOOL_LIST_26
#undef PROCPOOL_LIST_27
#undef PROCPOOL_LIST_28
#undef PROCPOOL_LIST_29
#undef PROCPOOL_LIST_30
#undef PROCPOOL_LIST_31
#undef PROCPOOL_LIST_32
#undef PROCPOOL_FOR_EACH_COUNT
#undef PROCPOOL_BRACES
#undef PROCPOOL_NAME
#undef PROCPOOL_TYPE

/// The types of T's fields as they are declared, but for const: references stay what they are. A TypeList.
template <class T>
using fields_t = decltype(list_fields(std::declval<const T&>()));

}  // namespace procpool::detail::codec

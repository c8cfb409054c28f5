// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// visit_fields(): an aggregate's fields, one by one.

#include <procpool/codec/fields.hpp>

#include <cstddef>
#include <type_traits>

namespace procpool {

/// Fields beyond this are not visited.
inline constexpr std::size_t most_fields = 32;

template <class T>
consteval std::size_t count_visitable_fields() {
    if constexpr (!PlainStruct<T>) {
        return 0;
    } else if constexpr (initialisers_v<T> == 0 || initialisers_v<T> > most_initialisers) {
        return 0;
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

#define PROCPOOL_F1 f1
#define PROCPOOL_F2 PROCPOOL_F1, f2
#define PROCPOOL_F3 PROCPOOL_F2, f3
#define PROCPOOL_F4 PROCPOOL_F3, f4
#define PROCPOOL_F5 PROCPOOL_F4, f5
#define PROCPOOL_F6 PROCPOOL_F5, f6
#define PROCPOOL_F7 PROCPOOL_F6, f7
#define PROCPOOL_F8 PROCPOOL_F7, f8
#define PROCPOOL_F9 PROCPOOL_F8, f9
#define PROCPOOL_F10 PROCPOOL_F9, f10
#define PROCPOOL_F11 PROCPOOL_F10, f11
#define PROCPOOL_F12 PROCPOOL_F11, f12
#define PROCPOOL_F13 PROCPOOL_F12, f13
#define PROCPOOL_F14 PROCPOOL_F13, f14
#define PROCPOOL_F15 PROCPOOL_F14, f15
#define PROCPOOL_F16 PROCPOOL_F15, f16
#define PROCPOOL_F17 PROCPOOL_F16, f17
#define PROCPOOL_F18 PROCPOOL_F17, f18
#define PROCPOOL_F19 PROCPOOL_F18, f19
#define PROCPOOL_F20 PROCPOOL_F19, f20
#define PROCPOOL_F21 PROCPOOL_F20, f21
#define PROCPOOL_F22 PROCPOOL_F21, f22
#define PROCPOOL_F23 PROCPOOL_F22, f23
#define PROCPOOL_F24 PROCPOOL_F23, f24
#define PROCPOOL_F25 PROCPOOL_F24, f25
#define PROCPOOL_F26 PROCPOOL_F25, f26
#define PROCPOOL_F27 PROCPOOL_F26, f27
#define PROCPOOL_F28 PROCPOOL_F27, f28
#define PROCPOOL_F29 PROCPOOL_F28, f29
#define PROCPOOL_F30 PROCPOOL_F29, f30
#define PROCPOOL_F31 PROCPOOL_F30, f31
#define PROCPOOL_F32 PROCPOOL_F31, f32
#define PROCPOOL_VISIT(count)                       \
    if constexpr (field_count_v<Struct> == count) { \
        auto& [PROCPOOL_F##count] = value;          \
        return visit(PROCPOOL_F##count);            \
    }

/// Returns: visit(fields...). Requires: Visitable<remove_const_t<T>>.
template <class T, class Visit>
constexpr decltype(auto) visit_fields(T& value, Visit&& visit) {
    using Struct = std::remove_const_t<T>;
    // clang-format off
    PROCPOOL_VISIT(1) PROCPOOL_VISIT(2) PROCPOOL_VISIT(3) PROCPOOL_VISIT(4) PROCPOOL_VISIT(5) PROCPOOL_VISIT(6)
    PROCPOOL_VISIT(7) PROCPOOL_VISIT(8) PROCPOOL_VISIT(9) PROCPOOL_VISIT(10) PROCPOOL_VISIT(11) PROCPOOL_VISIT(12)
    PROCPOOL_VISIT(13) PROCPOOL_VISIT(14) PROCPOOL_VISIT(15) PROCPOOL_VISIT(16) PROCPOOL_VISIT(17) PROCPOOL_VISIT(18)
    PROCPOOL_VISIT(19) PROCPOOL_VISIT(20) PROCPOOL_VISIT(21) PROCPOOL_VISIT(22) PROCPOOL_VISIT(23) PROCPOOL_VISIT(24)
    PROCPOOL_VISIT(25) PROCPOOL_VISIT(26) PROCPOOL_VISIT(27) PROCPOOL_VISIT(28) PROCPOOL_VISIT(29) PROCPOOL_VISIT(30)
    PROCPOOL_VISIT(31) PROCPOOL_VISIT(32)
    // clang-format on
}

#undef PROCPOOL_VISIT
#undef PROCPOOL_F1
#undef PROCPOOL_F2
#undef PROCPOOL_F3
#undef PROCPOOL_F4
#undef PROCPOOL_F5
#undef PROCPOOL_F6
#undef PROCPOOL_F7
#undef PROCPOOL_F8
#undef PROCPOOL_F9
#undef PROCPOOL_F10
#undef PROCPOOL_F11
#undef PROCPOOL_F12
#undef PROCPOOL_F13
#undef PROCPOOL_F14
#undef PROCPOOL_F15
#undef PROCPOOL_F16
#undef PROCPOOL_F17
#undef PROCPOOL_F18
#undef PROCPOOL_F19
#undef PROCPOOL_F20
#undef PROCPOOL_F21
#undef PROCPOOL_F22
#undef PROCPOOL_F23
#undef PROCPOOL_F24
#undef PROCPOOL_F25
#undef PROCPOOL_F26
#undef PROCPOOL_F27
#undef PROCPOOL_F28
#undef PROCPOOL_F29
#undef PROCPOOL_F30
#undef PROCPOOL_F31
#undef PROCPOOL_F32

struct ListTypes {
    template <class... Fields>
    TypeList<std::remove_cv_t<Fields>...> operator()(const Fields&...) const {
        return {};
    }
};

/// The types of T's fields, as a TypeList.
template <class T>
using fields_t = decltype(visit_fields(std::declval<const T&>(), ListTypes{}));

}  // namespace procpool

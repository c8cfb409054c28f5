// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// PROCPOOL_TIME_HAS_UNIT: an error that says what to write instead of a number for a time.

#include <type_traits>

namespace procpool::inline v0::detail {

/// Does not compile.
template <class Number, class Result>
Result refuse_time_without_unit() {
    static_assert(sizeof(Number) == 0,
                  "procpool: a time has a unit: write 5s or 500ms, with using namespace std::chrono_literals, or "
                  "std::chrono::seconds{n}");
    return Result();
}

}  // namespace procpool::detail

// The overload of a function that takes a duration first for a number in its place.
#define PROCPOOL_TIME_HAS_UNIT(Result, function)                                    \
    template <class Number, class... More>                                          \
    requires std::is_arithmetic_v<Number> Result function(Number, const More&...) { \
        return ::procpool::detail::refuse_time_without_unit<Number, Result>();      \
    }

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// after(), until(): the times that timed calls are given, checked at compile time.

#include <procpool/core/deadline.hpp>

#include <chrono>
#include <utility>

namespace procpool::inline v0::detail::core {

template <class T>
inline constexpr bool is_duration = false;
template <class Rep, class Period>
inline constexpr bool is_duration<std::chrono::duration<Rep, Period>> = true;
template <class T>
inline constexpr bool is_time_point = false;
template <class Clock, class Duration>
inline constexpr bool is_time_point<std::chrono::time_point<Clock, Duration>> = true;

/// Returns: the end of a std::chrono::duration that begins now; does not compile, and says why, for anything else.
template <class Duration>
[[nodiscard]] Deadline after(const Duration& timeout) {
    static_assert(
        is_duration<Duration>,
        "procpool: a time has a unit: write 5s or 500ms, with `using namespace std::chrono_literals`, or any other "
        "std::chrono::duration; a point in time is for the function whose name ends in _until");
    if constexpr (is_duration<Duration>) { return Deadline::after(timeout); }
    return Deadline::immediately();
}

/// As wait_until(); does not compile, and says why, unless it is given a std::chrono::time_point.
template <class TimePoint, class Wait>
[[nodiscard]] auto until(const TimePoint& when, Wait wait) {
    static_assert(is_time_point<TimePoint>,
                  "procpool: a function whose name ends in _until is given a std::chrono::time_point, as "
                  "std::chrono::steady_clock::now() + 5s; a duration is for the one that ends in _for");
    if constexpr (is_time_point<TimePoint>) { return wait_until(when, std::move(wait)); }
    return wait(Deadline::immediately());
}

}  // namespace procpool::detail::core

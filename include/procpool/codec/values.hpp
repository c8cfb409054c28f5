// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Classes that are no aggregates, and whose bytes are everything: those of the standard library, and procpool's own.

#include <procpool/codec/fields.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/core/type_text.hpp>

#include <bitset>
#include <chrono>
#include <compare>
#include <complex>
#include <cstddef>
#include <filesystem>
#include <ios>
#include <ranges>
#include <string_view>
#include <type_traits>

namespace procpool::inline v0 {

template <>
inline constexpr bool enable_plain<ExitStatus> = true;

template <>
inline constexpr bool enable_plain<std::filesystem::file_status> = true;
template <class T>
inline constexpr bool enable_plain<std::complex<T>> = is_plain_v<T>;
template <std::size_t Size>
inline constexpr bool enable_plain<std::bitset<Size>> = true;
template <class State>
inline constexpr bool enable_plain<std::fpos<State>> = is_plain_v<State>;

template <>
inline constexpr bool enable_plain<std::partial_ordering> = true;
template <>
inline constexpr bool enable_plain<std::weak_ordering> = true;
template <>
inline constexpr bool enable_plain<std::strong_ordering> = true;

template <class Number, class Period>
inline constexpr bool enable_plain<std::chrono::duration<Number, Period>> = is_plain_v<Number>;
template <class Clock, class Duration>
inline constexpr bool enable_plain<std::chrono::time_point<Clock, Duration>> = is_plain_v<Duration>;
template <class Duration>
inline constexpr bool enable_plain<std::chrono::hh_mm_ss<Duration>> = is_plain_v<Duration>;
template <>
inline constexpr bool enable_plain<std::chrono::day> = true;
template <>
inline constexpr bool enable_plain<std::chrono::month> = true;
template <>
inline constexpr bool enable_plain<std::chrono::year> = true;
template <>
inline constexpr bool enable_plain<std::chrono::weekday> = true;
template <>
inline constexpr bool enable_plain<std::chrono::weekday_indexed> = true;
template <>
inline constexpr bool enable_plain<std::chrono::weekday_last> = true;
template <>
inline constexpr bool enable_plain<std::chrono::month_day> = true;
template <>
inline constexpr bool enable_plain<std::chrono::month_day_last> = true;
template <>
inline constexpr bool enable_plain<std::chrono::month_weekday> = true;
template <>
inline constexpr bool enable_plain<std::chrono::month_weekday_last> = true;
template <>
inline constexpr bool enable_plain<std::chrono::year_month> = true;
template <>
inline constexpr bool enable_plain<std::chrono::year_month_day> = true;
template <>
inline constexpr bool enable_plain<std::chrono::year_month_day_last> = true;
template <>
inline constexpr bool enable_plain<std::chrono::year_month_weekday> = true;
template <>
inline constexpr bool enable_plain<std::chrono::year_month_weekday_last> = true;

/// Whether `name` is that of a random number engine or distribution, told by it so that <random> need not be included.
consteval bool is_of_random(std::string_view name) {
    const std::string_view stem = name.substr(0, name.find('<'));
    return stem.starts_with("std::") && (stem.ends_with("_engine") || stem.ends_with("_distribution"));
}
template <class T>
requires(std::is_class_v<T> && !std::is_aggregate_v<T> &&
         is_of_random(type_text<T>())) inline constexpr bool enable_plain<T> = true;

/// A range of numbers refers to nothing, though its iterators may outlive it.
template <class First, class Last>
requires(is_plain_v<First>&& is_plain_v<Last>) struct Codec<std::ranges::iota_view<First, Last>> {
    using Numbers = std::ranges::iota_view<First, Last>;
    static constexpr bool plain = true;
    using parts = TypeList<>;

    static void encode(Writer& out, const Numbers& numbers) { encode_plain(out, numbers); }
    static Numbers decode(Reader& in) { return decode_plain<Numbers>(in); }
};

}  // namespace procpool

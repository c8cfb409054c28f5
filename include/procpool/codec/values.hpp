// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Classes that are no aggregates, and whose bytes are everything: those of the standard library, and procpool's own.

#include <procpool/codec/built_in.hpp>
#include <procpool/codec/fields.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/codec/standard_kind.hpp>
#include <procpool/core/type_text.hpp>

#include <string_view>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::codec {

/// Whether what a StandardValue is a template of is plain.
template <class T>
consteval bool has_plain_parts() {
    if constexpr (requires { typename T::clock; }) {  // std::chrono::time_point
        return is_plain_v<typename T::duration>;
    } else if constexpr (requires { typename T::period; }) {  // std::chrono::duration
        return is_plain_v<typename T::rep>;
    } else if constexpr (requires { typename T::precision; }) {  // std::chrono::hh_mm_ss
        return is_plain_v<typename T::precision>;
    } else if constexpr (requires { typename T::value_type; }) {  // std::complex
        return is_plain_v<typename T::value_type>;
    } else if constexpr (requires(const T& position) { position.state(); }) {  // std::fpos
        return is_plain_v<std::remove_cvref_t<decltype(std::declval<const T&>().state())>>;
    } else {
        return true;
    }
}

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

class ExitStatus;
template <>
inline constexpr bool enable_plain<ExitStatus> = true;
class Random;
template <>
inline constexpr bool enable_plain<Random> = true;

template <class T>
requires detail::codec::StandardValue<T>
inline constexpr bool enable_plain<T> = detail::codec::has_plain_parts<T>();

}  // namespace procpool

namespace procpool::inline v0::detail::codec {

template <class Numbers>
consteval bool are_plain_numbers() {
    using First = std::remove_cvref_t<decltype(*std::declval<const Numbers&>().begin())>;
    if constexpr (!is_plain_v<First> || !std::is_trivially_copyable_v<Numbers>) {
        return false;
    } else if constexpr (requires(const Numbers& numbers) { numbers.size(); }) {
        return true;
    } else {  // no end, or one of the same type
        return type_text<Numbers>().find("unreachable_sentinel_t") != std::string_view::npos ||
               std::is_same_v<decltype(std::declval<const Numbers&>().begin()),
                              decltype(std::declval<const Numbers&>().end())>;
    }
}

template <class Numbers>
struct BuiltInCodec<Numbers, StandardKind::numbers> {
    static constexpr bool plain = are_plain_numbers<Numbers>();
    using parts = std::conditional_t<plain, TypeList<>, NoEncoding>;

    static void encode(Writer& out, const Numbers& numbers) requires plain { encode_plain(out, numbers); }
    static Numbers decode(Reader& in) requires plain { return decode_plain<Numbers>(in); }
};

}  // namespace procpool::detail::codec

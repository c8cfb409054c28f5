// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Values, functions and code, as another run of the program finds them: whether a result's bytes mean the same there,
/// and bytes of a function object by which it is known again.

#include <procpool/codec/address.hpp>
#include <procpool/codec/callable.hpp>
#include <procpool/codec/captured.hpp>
#include <procpool/codec/padding.hpp>
#include <procpool/codec/span.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/function_ref.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>

namespace procpool::inline v0::detail::persist {

// ---- results

template <class T, class... Seen>
consteval bool may_hold_address();

template <class... Parts, class... Seen>
consteval bool any_may_hold_address(codec::TypeList<Parts...>, codec::TypeList<Seen...>) {
    return (may_hold_address<std::remove_cv_t<std::remove_all_extents_t<Parts>>, Seen...>() || ...);
}

template <class T>
inline constexpr bool is_reference_wrapper_v = false;
template <class T>
inline constexpr bool is_reference_wrapper_v<std::reference_wrapper<T>> = true;
template <class T>
inline constexpr bool is_any_span_v = false;
template <class T, std::size_t extent>
inline constexpr bool is_any_span_v<std::span<T, extent>> = true;

/// Whether the bytes of a T may hold an address, which means nothing in another run. What a Codec of the user's writes
/// is not known.
template <class T, class... Seen>
consteval bool may_hold_address() {
    if constexpr (std::is_void_v<T> || (std::is_same_v<T, Seen> || ...)) {
        return false;
    } else if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> || is_reference_wrapper_v<T> ||
                         is_any_span_v<T> || codec::Searched<T>) {
        return true;
    } else if constexpr (requires { typename Codec<T>::parts; }) {
        return any_may_hold_address(typename Codec<T>::parts{}, codec::TypeList<T, Seen...>{});
    } else {
        return false;
    }
}

// ---- functions and items

/// The meaning of an address in another run: code and statics have names there, other addresses mean nothing.
[[nodiscard]] codec::Visibility visibility_in_another_run(const void* address);

/// Returns: the build and the place in it of the code at `address`.
[[nodiscard]] std::string name_of_code(std::uintptr_t address);

/// Effects: writes what the function at `address` is known by. by_version: in other builds too, by its symbol, where
/// the program has symbols.
void write_function(Writer& out, std::uintptr_t address, bool by_version);

/// Effects: writes the bytes of a closure, with names in the place of addresses of code and statics. by_version: with
/// nothing in the place of others. Throws: CodecError when there are such, and not by_version.
void write_words(Writer& out, std::span<std::byte> bytes, core::FunctionRef<bool(std::size_t)> may_be_captured,
                 bool by_version, const std::type_info& type);

/// Returns: the bytes that a function is known by, or, where they are many, their number and checksums.
[[nodiscard]] std::string text_of_function(std::span<const std::byte> bytes);

/// Effects: writes a value that is bound to a function.
template <class T>
void write_value(Writer& out, const T& value) {
    Codec<T>::encode(out, value);
}
template <class T>
void write_value(Writer& out, const std::shared_ptr<const T>& value) {
    Codec<T>::encode(out, *value);
}

/// Effects: writes what the function object is known by. F is decayed, and Sendable. Throws: CodecError.
template <class F>
void write_known(Writer& out, const F& f, bool by_version) {
    if constexpr (requires { typename F::Wrapped; }) {
        write_known(out, f.f, by_version);
        if constexpr (requires { f.g; }) { write_known(out, f.g, by_version); }
        if constexpr (requires { f.values; }) {
            std::apply([&out](const auto&... each) { (write_value(out, each), ...); }, f.values);
        }
    } else if constexpr (std::is_function_v<std::remove_pointer_t<F>>) {
        write_function(out, reinterpret_cast<std::uintptr_t>(f), by_version);
    } else if constexpr (codec::callable_kind_v<F> == codec::CallableKind::bytes && !codec::NamesStatic<F>) {
        alignas(void*) std::byte bytes[sizeof(F)];
        codec::copy_without_padding(bytes, f);
        write_words(
            out, bytes,
            [&f](std::size_t offset) { return !codec::holds_no_address_v<F> && codec::may_be_captured(f, offset); },
            by_version, typeid(F));
    } else {
        codec::encode_callable<F>(out, f);
    }
}

/// Throws: CodecError unless the journal has a version, for a function that takes what an initializer returned.
void require_version_for_state(const std::type_info& type, bool by_version);

}  // namespace procpool::detail::persist

#if PROCPOOL_BODIES
#include <procpool/persist/lasting.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Values whose bytes are everything there is to them.

#include <procpool/codec/bytes.hpp>

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <type_traits>

namespace procpool {

template <class T>
inline constexpr bool is_initializer_list_v = false;
template <class T>
inline constexpr bool is_initializer_list_v<std::initializer_list<T>> = true;

/// Types whose copy is a copy of their bytes. Wider than trivially copyable: pair, tuple, and with them std::bind_front
/// and closures that captured a pair, only fail that for the sake of their assignment.
/// But not a std::initializer_list, which only refers to its elements.
template <class T>
concept CopiedAsBytes = ((std::is_trivially_copyable_v<T> && std::is_move_constructible_v<T>) ||
                         (std::is_trivially_copy_constructible_v<T> && std::is_trivially_destructible_v<T>)) &&
                        !is_initializer_list_v<T>;

/// Returns: the T whose bytes lie, unaligned, at `bytes`; T need not be default constructible.
template <CopiedAsBytes T>
[[nodiscard]] T value_from_bytes(const void* bytes) {
    if constexpr (std::is_trivially_default_constructible_v<T> && !std::is_const_v<T>) {
        T value;
        std::memcpy(static_cast<void*>(std::addressof(value)), bytes, sizeof(T));
        return value;
    } else {
        union Storage {
            Storage() noexcept {}
            ~Storage() {}
            std::byte raw[sizeof(T)];
            T value;
        } storage;
        std::memcpy(storage.raw, bytes, sizeof(T));
        if constexpr (std::is_trivially_copy_constructible_v<T>) {
            return static_cast<const T&>(storage.value);
        } else {
            return static_cast<T&&>(storage.value);
        }
    }
}

/// An empty type has no bytes.
template <CopiedAsBytes T>
void encode_plain(Writer& out, const T& value) {
    if constexpr (!std::is_empty_v<T>) { std::memcpy(out.claim(sizeof(T)), std::addressof(value), sizeof(T)); }
}

template <CopiedAsBytes T>
[[nodiscard]] T decode_plain(Reader& in) {
    if constexpr (std::is_empty_v<T>) {
        const std::byte nothing[sizeof(T)]{};
        return value_from_bytes<T>(nothing);
    } else {
        return value_from_bytes<T>(in.take(sizeof(T)));
    }
}

}  // namespace procpool

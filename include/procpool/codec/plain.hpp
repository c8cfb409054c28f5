// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Values whose bytes are everything there is to them.

#include <procpool/codec/bytes.hpp>

#include <concepts>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>  // which needs what iterators and borrowed ranges are, too
#include <type_traits>

namespace procpool::inline v0 {

/// Declares that the bytes of a trivially copyable class or union are everything there is to it: no pointer, no
/// reference, and nothing else that means something to its own process only. The library cannot look into a class that
/// is no aggregate, so such a class travels only if its author says this:
///
///     template <> inline constexpr bool procpool::enable_plain<Mine> = true;
template <class T>
inline constexpr bool enable_plain = false;

template <class T>
struct Codec;

}  // namespace procpool

namespace procpool::inline v0::detail::codec {

template <class T>
inline constexpr bool is_initializer_list_v = false;
template <class T>
inline constexpr bool is_initializer_list_v<std::initializer_list<T>> = true;

/// Whether the bytes of a T are everything: no pointer, view or reference can be in it, and no Codec or serialize() of
/// the user's says otherwise.
template <class T>
inline constexpr bool is_plain_v = requires {
    requires Codec<T>::plain;
};

template <class T>
concept Pointer = std::is_pointer_v<T>;
template <class T>
concept Referring = std::is_lvalue_reference_v<T>;

/// Types whose copy is a copy of their bytes. Wider than trivially copyable: pair, tuple, and with them std::bind_front
/// and closures that captured a pair, only fail that for the sake of their assignment.
/// But not a std::initializer_list, which only refers to its elements.
template <class T>
concept CopiedAsBytes = ((std::is_trivially_copyable_v<T> && std::is_move_constructible_v<T>) ||
                         (std::is_trivially_copy_constructible_v<T> && std::is_trivially_destructible_v<T>)) &&
                        !is_initializer_list_v<T>;

/// A class that is used like a pointer, and does not hold what it points to, as std::optional and its like do.
template <class T>
concept PointerLike = std::is_class_v<T> && requires(T& t) {
    { *t } -> Referring;
    t.operator->();
} && !requires(const T& t) { t.has_value(); };

/// Iterators, views that borrow what they view, classes used like pointers: with whatever enable_plain says of them,
/// they refer to memory of one process.
template <class T>
concept RefersElsewhere = std::is_class_v<T> && !std::is_empty_v<T> &&
                          (std::input_or_output_iterator<T> || std::ranges::enable_borrowed_range<T> ||
                           is_initializer_list_v<T> || PointerLike<T>);

/// A class with data() and size() where data() gives a const object the same rights as any other: it does not hold what
/// it gives.
template <class T>
concept LooksLikeView = std::is_class_v<T> && CopiedAsBytes<T> && requires(T& t, const T& constant) {
    { t.data() } -> Pointer;
    { constant.data() } -> std::same_as<decltype(t.data())>;
    t.size();
};

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

}  // namespace procpool::detail::codec

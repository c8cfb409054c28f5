// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// copy_without_padding(): the bytes of a value as they are each time, whatever was in memory before.

#include <procpool/codec/plain.hpp>

#include <cstddef>
#include <cstring>
#include <memory>

namespace procpool::inline v0::detail::codec {

/// Effects: copies the bytes of `value`, with zeros where it has none of its own, so that equal members are equal
/// bytes. Clang before 20 cannot do that: there, padding is copied as it is.
template <CopiedAsBytes T>
void copy_without_padding(std::byte* to, const T& value) {
#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
    T copy = value_from_bytes<T>(std::addressof(value));
    __builtin_clear_padding(&copy);
    std::memcpy(to, std::addressof(copy), sizeof(T));
    return;
#endif
#endif
    std::memcpy(to, std::addressof(value), sizeof(T));
}

}  // namespace procpool::detail::codec

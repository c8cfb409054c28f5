// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// KeyHash: how keys that are numbers or text are found by a hash, and put in order.

#include <procpool/codec/length.hpp>
#include <procpool/codec/text.hpp>

#include <algorithm>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

namespace procpool::inline v0::detail::map {

template <class Word>
[[nodiscard]] std::uint64_t word_at(const std::byte* from) noexcept {
    Word word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

/// Up to 16 bytes: differs for all texts of the same size.
struct FewBytes {
    static constexpr std::size_t most = 16;
    std::uint64_t first;
    std::uint64_t last;
    friend bool operator==(const FewBytes&, const FewBytes&) = default;
};
[[nodiscard]] inline FewBytes few_bytes(const std::byte* from, std::size_t size) noexcept {
    const std::byte* const end = from + size;
    if (size >= 8) { return {word_at<std::uint64_t>(from), word_at<std::uint64_t>(end - 8)}; }
    if (size >= 4) { return {word_at<std::uint32_t>(from), word_at<std::uint32_t>(end - 4)}; }
    if (size == 0) { return {0, 0}; }
    return {word_at<std::uint8_t>(from) << 8 | word_at<std::uint8_t>(from + size / 2), word_at<std::uint8_t>(end - 1)};
}

/// Returns: a hash whose highest bits are its best.
[[nodiscard]] inline std::uint64_t hash_of(std::uint64_t number) noexcept { return number * 0x9e3779b97f4a7c15; }
[[nodiscard]] inline std::uint64_t hash_of(const std::byte* from, std::size_t size) noexcept {
    std::uint64_t hash = size;
    const auto add = [&hash](std::uint64_t bytes) {
        hash = hash_of(hash ^ bytes);
        hash ^= hash >> 32;
    };
    for (; size > FewBytes::most; size -= 8, from += 8) { add(word_at<std::uint64_t>(from)); }
    const FewBytes last = few_bytes(from, size);
    add(last.first);
    return hash_of(hash ^ last.last);
}

/// The first 16 bytes: compares as std::memcmp() does, as far as they go.
struct FirstBytes {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    friend auto operator<=>(const FirstBytes&, const FirstBytes&) = default;
};
[[nodiscard]] inline FirstBytes first_bytes(const std::byte* from, std::size_t size) noexcept {
    FirstBytes bytes;
    std::memcpy(&bytes, from, std::min(size, sizeof bytes));
    if constexpr (std::endian::native == std::endian::little) {
        bytes = {__builtin_bswap64(bytes.first), __builtin_bswap64(bytes.second)};
    }
    return bytes;
}

/// Numbers and text have a hash: their == agrees with their <. For other keys `exists` is false.
template <class K>
struct KeyHash {
    static constexpr bool exists = std::is_integral_v<K>;
    [[nodiscard]] static std::uint64_t hash(K key) noexcept { return hash_of(static_cast<std::uint64_t>(key)); }
    [[nodiscard]] static bool equal(K a, K b) noexcept { return a == b; }
    /// Returns: what orders most keys; of keys for which it is equal, the < counts.
    [[nodiscard]] static FirstBytes order(K) noexcept { return {}; }
    /// Returns: the key, or what to look it up by.
    [[nodiscard]] static K decode(Reader& in) { return Codec<K>::decode(in); }
};

template <class C, class Allocator>
struct KeyHash<std::basic_string<C, std::char_traits<C>, Allocator>> {
    using View = std::basic_string_view<C>;
    static constexpr bool exists = sizeof(C) == 1;
    [[nodiscard]] static std::uint64_t hash(View key) noexcept { return hash_of(bytes(key), key.size()); }
    [[nodiscard]] static bool equal(View a, View b) noexcept {
        if (a.size() != b.size()) { return false; }
        return a.size() <= FewBytes::most ? few_bytes(bytes(a), a.size()) == few_bytes(bytes(b), a.size()) : a == b;
    }
    [[nodiscard]] static FirstBytes order(View key) noexcept { return first_bytes(bytes(key), key.size()); }
    [[nodiscard]] static View decode(Reader& in) {
        const std::size_t size = codec::decode_length(in);
        return View(reinterpret_cast<const C*>(in.take(size)), size);
    }

private:
    [[nodiscard]] static const std::byte* bytes(View key) noexcept {
        return reinterpret_cast<const std::byte*>(key.data());
    }
};

}  // namespace procpool::detail::map

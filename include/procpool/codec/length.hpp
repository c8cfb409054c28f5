// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Lengths in the bytes, which are rejected when the bytes that follow could not hold as much.

#include <procpool/codec/codec.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace procpool::inline v0::detail::codec {

inline void encode_length(Writer& out, std::size_t length) { encode_plain(out, std::uint64_t{length}); }

[[noreturn]] void refuse_length();

/// Throws: CodecError when `length` things of `size` bytes each cannot follow.
[[nodiscard]] inline std::size_t decode_length(Reader& in, std::size_t size = 1) {
    const auto length = decode_plain<std::uint64_t>(in);
    if (length > in.remaining() / size) [[unlikely]] { refuse_length(); }
    return static_cast<std::size_t>(length);
}

/// How many elements of `size` bytes to reserve memory for before any of `length` was seen: more only when the bytes
/// bear it out.
[[nodiscard]] inline std::size_t to_reserve(const Reader& in, std::size_t length, std::size_t size) {
    const std::size_t most = in.remaining() / size + 1;
    return length < most ? length : most;
}

/// Plain elements that lie side by side: their number, then their bytes in one piece.
template <class T>
void encode_block(Writer& out, const T* elements, std::size_t count) {
    const std::uint64_t length = count;
    std::byte* const place = out.claim(sizeof length + count * sizeof(T));
    std::memcpy(place, &length, sizeof length);
    if (count != 0) { std::memcpy(place + sizeof length, elements, count * sizeof(T)); }
}

/// Returns: the container that encode_block() wrote the elements of, filled in one pass where they happen to lie
/// aligned.
template <class Container>
[[nodiscard]] Container decode_block(Reader& in) {
    using T = typename Container::value_type;
    const std::size_t count = decode_length(in, sizeof(T));
    const std::byte* const bytes = in.take(count * sizeof(T));
    if (reinterpret_cast<std::uintptr_t>(bytes) % alignof(T) == 0) {
        const T* const first = reinterpret_cast<const T*>(bytes);
        return Container(first, first + count);
    }
    Container container;
    container.reserve(count);
    for (std::size_t i = 0; i != count; ++i) { container.push_back(value_from_bytes<T>(bytes + i * sizeof(T))); }
    return container;
}

/// A number of elements, then each by its Codec. Elements may encode to nothing, but every one makes the whole at least
/// a byte longer, so that a length can be held against what is there.
template <class Elements>
void encode_elements(Writer& out, std::size_t count, const Elements& elements) {
    encode_length(out, count);
    const std::size_t start = out.size();
    for (const auto& element : elements) { Codec<std::remove_cvref_t<decltype(element)>>::encode(out, element); }
    if (const std::size_t used = out.size() - start; used < count) {
        std::memset(out.claim(count - used), 0, count - used);
    }
}

/// Effects: reads what encode_elements() wrote; calls prepare(count), then add() for each element, which decodes one.
template <class Prepare, class Add>
void decode_elements(Reader& in, const Prepare& prepare, const Add& add) {
    const std::size_t count = decode_length(in);
    prepare(count);
    const std::size_t before = in.remaining();
    for (std::size_t i = 0; i != count; ++i) { add(); }
    if (const std::size_t used = before - in.remaining(); used < count) { static_cast<void>(in.take(count - used)); }
}

/// Elements of this type travel as a block.
template <class T>
inline constexpr bool in_one_piece_v = is_plain_v<T> && !std::is_empty_v<T>;

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/length.ipp>
#endif

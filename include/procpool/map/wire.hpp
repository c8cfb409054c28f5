// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The bytes of a chunk of items: the head of its arguments, the report at the start of its result, and how an item is
/// written.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>

namespace procpool::inline v0::detail::map {

/// Where a chunk's items are.
enum class Items : std::uint8_t {
    copied,   ///< behind the callable, or, where they are plain, at an address that the worker has too
    shared,   ///< at an address that the worker has too
    in_place  ///< likewise, and the function changes them
};

/// Where its results go.
enum class Results : std::uint8_t {
    none,
    copied,  ///< behind the report
    shared,  ///< to an address that the parent has too
    folded   ///< behind the report, one for each block of items, or for each item where they are part of a block
};

/// Items per block. Blocks are folded by themselves, each from left to right.
inline constexpr std::size_t fold_block = 256;

/// Begins a chunk's arguments. A ChunkSeed may follow, then the callable, or a CallablePlace, then the items, then the
/// sum so far of the block that `skip` is in.
struct ChunkHead {
    static constexpr std::uint64_t exact = 1;    ///< each item is accounted for by itself
    static constexpr std::uint64_t framed = 2;   ///< an item's size comes before it
    static constexpr std::uint64_t goes_on = 4;  ///< when an item fails
    static constexpr std::uint64_t apart =
        8;  ///< items are part of one block, which the parent folds: their results are not folded
    static constexpr std::uint64_t brief =
        16;  ///< somebody waits for results: where items take long, the rest is left for another chunk
    static constexpr std::uint64_t refers = 32;    ///< to the callable, by a CallablePlace
    static constexpr std::uint64_t recorded = 64;  ///< results are to be recorded: as `brief`, but rarer

    std::uint64_t skip;     ///< items that have been dealt with before
    std::uint64_t count;    ///< items, those included
    std::uint64_t items;    ///< address; 0: behind the callable
    std::uint64_t results;  ///< address, if shared
    std::uint64_t flags;
    std::uint64_t attempt;  ///< of the item at `skip`
    std::uint64_t carry;    ///< bytes of the sum so far
};

/// Follows the head where the function takes a generator of random numbers: the item at `skip` gets Random{seed, first
/// + skip}.
struct ChunkSeed {
    std::uint64_t seed;
    std::uint64_t first;  ///< item of the call
};

/// The place of a callable that is not sent with each chunk.
struct CallablePlace {
    std::uint64_t address;
    std::uint64_t size;
    std::uint64_t call;  ///< see Client::next_call()
};

/// Begins a chunk's result; the results of the items from `skip` to `completed` follow. If error_at is not 0, an item
/// has failed: its exception is there, and results end before it. Where less is completed than asked for and nothing
/// has failed, the chunk was asked to stop, or its worker may begin no more items, or died.
struct ChunkReport {
    std::uint64_t completed;
    std::uint64_t nanoseconds;
    std::uint64_t error_at;     ///< from the start of the report
    std::uint64_t failed_item;  ///< the first one that failed

    /// Whether a chunk with that head can have left it, at the start of a result of `bytes`: a task may have written
    /// there.
    [[nodiscard]] bool is_credible(const ChunkHead& head, std::size_t bytes) const noexcept;
};

// ---- items as bytes

/// The arguments of one call, as the ranges gave them: references, or the values themselves.
template <class Elements>
struct Pack {
    Elements elements;
};

/// An item that has been encoded already.
struct EncodedItem {
    std::span<const std::byte> bytes;
};

/// Effects: writes an item so that it arrives as an Item.
template <class Item, class Reference>
void encode_item(Writer& out, const Reference& reference) {
    Codec<Item>::encode(out, codec::to_wire(reference));
}
template <class Item, class Elements>
void encode_item(Writer& out, const Pack<Elements>& pack) {
    if constexpr (codec::is_plain_v<Item>) {
        Codec<Item>::encode(
            out, std::apply([](const auto&... elements) { return Item{codec::to_wire(elements)...}; }, pack.elements));
    } else {  // as the Codec of a tuple, without one: an element need not be copyable
        std::apply(
            [&](const auto&... elements) {
                (Codec<codec::wire_type_t<decltype(elements)>>::encode(out, codec::to_wire(elements)), ...);
            },
            pack.elements);
    }
}
template <class Item>
void encode_item(Writer& out, const EncodedItem& item) {
    out.write(item.bytes.data(), item.bytes.size());
}

// ---- framed items: an item's size comes before it, so that one that cannot be encoded, or decoded, costs no other

/// Set in the size of an item that could not be encoded: the exception follows in its place.
inline constexpr std::uint64_t item_is_error = std::uint64_t{1} << 63;

/// Returns: where the frame begins.
[[nodiscard]] std::size_t begin_frame(Writer& out);
void end_frame(Writer& out, std::size_t start) noexcept;
/// Effects: replaces the item by the exception that is being handled. Throws: that exception instead, if it is
/// SharedMemoryExhausted and the buffer may still get more room.
void end_frame_with_error(Writer& out, std::size_t start, bool has_all_room);

/// Effects: writes what `encode` writes, or the exception that it throws, behind its size. Throws:
/// SharedMemoryExhausted, unless the buffer is already as large as it can get.
template <class Encode>
void encode_framed(Writer& out, bool has_all_room, Encode encode) {
    const std::size_t start = begin_frame(out);
    try {
        encode();
        end_frame(out, start);
    } catch (...) { end_frame_with_error(out, start, has_all_room); }
}

/// Returns: a reader of the next item, which is passed in any case. Throws: the exception that stands in its place.
[[nodiscard]] Reader take_framed(Reader& in);
void skip_framed(Reader& in);

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/wire.ipp>
#endif

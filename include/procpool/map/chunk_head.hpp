// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// What a chunk of items begins with on its way to a worker, and what its result begins with.

#include <procpool/codec/exception.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>

namespace procpool::inline v0::detail::map {

/// Where a chunk's items are.
enum class Items : std::uint8_t {
    copied,   ///< behind the callable
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

/// Blocks of so many items are folded by themselves, each from left to right.
inline constexpr std::size_t fold_block = 256;

/// What a chunk's arguments begin with; the callable follows, then the items, then what was folded of the block that
/// `skip` is in.
struct ChunkHead {
    static constexpr std::uint64_t exact = 1;    ///< each item is accounted for by itself
    static constexpr std::uint64_t framed = 2;   ///< an item's size comes before it
    static constexpr std::uint64_t goes_on = 4;  ///< when an item fails
    static constexpr std::uint64_t apart =
        8;  ///< items are part of one block, which the parent folds: their results are not folded
    static constexpr std::uint64_t brief =
        16;  ///< somebody waits for results: where items take long, the rest is left for another chunk

    std::uint64_t skip;     ///< items that have been dealt with before
    std::uint64_t count;    ///< items, those included
    std::uint64_t items;    ///< address, unless copied
    std::uint64_t results;  ///< address, if shared
    std::uint64_t flags;
    std::uint64_t attempt;  ///< of the item at `skip`
    std::uint64_t carry;    ///< bytes of what was folded
};

/// What a chunk's result begins with; the results of the items from `skip` to `completed` follow. If error_at is not 0,
/// an item has failed: its exception is there, and results end before it. Where less is completed than asked for and
/// nothing has failed, the chunk was asked to stop, or its worker may begin no more items, or died.
struct ChunkReport {
    std::uint64_t completed;
    std::uint64_t nanoseconds;
    std::uint64_t error_at;     ///< from the start of the report
    std::uint64_t failed_item;  ///< the first one that failed

    /// Whether a chunk with that head can have left it, at the start of a result of so many bytes: a task may have
    /// written there.
    [[nodiscard]] bool is_credible(const ChunkHead& head, std::size_t bytes) const noexcept {
        const auto is_one_of_it = [&](std::uint64_t item) { return item >= head.skip && item <= head.count; };
        // The error may be yet to come: where its worker died, the report may tell of more than was sealed.
        return is_one_of_it(completed) &&
               (error_at == 0 || error_at >= bytes ||
                (error_at >= sizeof(ChunkReport) && is_one_of_it(failed_item) && failed_item < head.count));
    }
};

/// The size of an item that could not be encoded: the exception follows in its place.
inline constexpr std::uint64_t poisoned = std::uint64_t{1} << 63;

/// Effects: writes what `encode` does, or what it throws, behind its size. Throws: SharedMemoryExhausted, unless there
/// is as much room as there will ever be.
template <class Encode>
void encode_framed(Writer& out, bool has_all_room, Encode encode) {
    const std::size_t start = out.size();
    encode_plain(out, std::uint64_t{0});
    const auto seal = [&](std::uint64_t kind) {
        const std::uint64_t size = (out.size() - start - sizeof kind) | kind;
        std::memcpy(out.buffer().data() + start, &size, sizeof size);
    };
    const auto encode_error = [&](const std::exception_ptr& error) {
        out.rewind(start + sizeof(std::uint64_t));
        encode_exception(out, error);
        seal(poisoned);
    };
    try {
        encode();
        seal(0);
    } catch (const SharedMemoryExhausted&) {
        if (!has_all_room) { throw; }
        encode_error(std::current_exception());
    } catch (...) { encode_error(std::current_exception()); }
}

/// Returns: what decode(Reader&) makes of the next framed item, which is passed in any case. Throws: what stands in its
/// place.
template <class Decode>
decltype(auto) decode_framed(Reader& in, Decode decode) {
    const auto size = decode_plain<std::uint64_t>(in);
    const auto bytes = static_cast<std::size_t>(size & ~poisoned);
    Reader item{std::span<const std::byte>{in.take(bytes), bytes}};
    if ((size & poisoned) != 0) { std::rethrow_exception(decode_exception(item)); }
    return decode(item);
}

inline void skip_framed(Reader& in) {
    static_cast<void>(in.take(static_cast<std::size_t>(decode_plain<std::uint64_t>(in) & ~poisoned)));
}

}  // namespace procpool::detail::map

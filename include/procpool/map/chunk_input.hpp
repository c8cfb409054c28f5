// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ChunkInput: reads a range, and writes what it gives as chunks.

#include <procpool/codec/callable.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/error.hpp>
#include <procpool/map/chunk_head.hpp>
#include <procpool/map/zip.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::map {

/// Single pass: begin() is called once. Lifetime: the range outlives it.
template <class Item, Items items, class Range>
class ChunkInput {
    static constexpr bool copies_block =
        items == Items::copied && std::ranges::contiguous_range<Range> && is_plain_v<Item> && !std::is_empty_v<Item> &&
        std::is_same_v<Item, std::remove_cvref_t<std::iter_reference_t<std::ranges::iterator_t<Range>>>>;
    using Difference = std::iter_difference_t<std::ranges::iterator_t<Range>>;

public:
    /// Items need a size before them to be told apart.
    static constexpr bool frames = items == Items::copied && (!is_plain_v<Item> || std::is_empty_v<Item>);

    explicit ChunkInput(Range& range) : range_(range), next_(std::ranges::begin(range)) {}

    /// An item is left only when the next one is wanted, which may be long in coming. Throws: what the range throws.
    [[nodiscard]] bool is_at_end() {
        if (std::exchange(is_taken_, false)) { ++next_; }
        return next_ == std::ranges::end(range_);
    }

    /// Effects: writes the head, f, and as many items as there are, up to `wanted`; sets the head's items and count.
    /// Throws: what the range or a Codec throws at the first item; later, the chunk ends there, and take_error() tells.
    template <class F>
    void encode(Writer& out, const F& f, std::size_t wanted, ChunkHead& head) {
        head.count = wanted;
        if constexpr (items != Items::copied) { head.items = reinterpret_cast<std::uint64_t>(std::to_address(next_)); }
        encode_plain(out, head);
        encode_callable<F>(out, f);
        if constexpr (items != Items::copied) {
            std::ranges::advance(next_, static_cast<Difference>(wanted));
        } else if constexpr (copies_block) {
            const auto left = static_cast<std::size_t>(std::ranges::distance(next_, std::ranges::end(range_)));
            head.count = std::min(wanted, left);
            out.write(std::to_address(next_), head.count * sizeof(Item));
            std::ranges::advance(next_, static_cast<Difference>(head.count));
        } else {
            encode_each(out, wanted, head);
        }
        std::memcpy(out.buffer().data(), &head, sizeof head);
    }

    /// Returns: what the item after the last chunk threw; null when there was nothing.
    [[nodiscard]] std::exception_ptr take_error() noexcept { return std::exchange(error_, nullptr); }

private:
    void encode_each(Writer& out, std::size_t wanted, ChunkHead& head) {
        head.count = 0;
        std::size_t whole = out.size();
        try {
            while (head.count < wanted && !is_at_end()) {
                if ((head.flags & ChunkHead::framed) != 0) {
                    decltype(auto) item = *next_;
                    encode_framed(out, head.count == 0, [&] { encode_item<Item>(out, item); });
                } else {
                    encode_item<Item>(out, *next_);
                }
                ++head.count;
                whole = out.size();
                is_taken_ = true;
            }
        } catch (const SharedMemoryExhausted&) {
            if (head.count == 0) { throw; }
            out.rewind(whole);  // the item is the first of the next chunk
        } catch (...) {
            if (head.count == 0) { throw; }
            out.rewind(whole);
            error_ = std::current_exception();
        }
    }

    Range& range_;
    std::ranges::iterator_t<Range> next_;
    bool is_taken_ = false;  // the item at next_
    std::exception_ptr error_;
};

}  // namespace procpool::detail::map

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's map_reduce().

#include <procpool/map/chunked.hpp>
#include <procpool/map/input.hpp>
#include <procpool/map/map.hpp>
#include <procpool/map/wrapped.hpp>
#include <procpool/pool/process_pool.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace procpool::inline v0 {

namespace detail::map {

/// Folds what arrives in the order of the items, as soon as all before it is there: each block from left to right, then
/// the blocks' results.
template <class G, class T, class Mapped>
class FoldedResults {
public:
    static constexpr Results mode = Results::folded;

    FoldedResults(G& g, T init) : g_(g), sum_(std::move(init)) {}

    /// Results of the blocks from an item on, which is the first of its block.
    void take(std::size_t first, std::size_t count, Reader& in) {
        for (std::size_t from = first; from < first + count; from += fold_block) {
            const std::size_t end = std::min(from + fold_block, first + count);
            waiting_.try_emplace(from, Piece{end, Values(std::in_place_index<0>, Codec<T>::decode(in))});
        }
        fold_waiting();
    }
    /// Results of items of one block.
    void take_apart(std::size_t first, std::size_t count, Reader& in) {
        Parts parts;
        parts.reserve(count);
        for (std::size_t i = 0; i < count; ++i) { parts.push_back({Codec<Mapped>::decode(in)}); }
        waiting_.try_emplace(first, Piece{first + count, Values(std::in_place_index<1>, std::move(parts))});
        fold_waiting();
    }
    /// The last block need not be whole.
    void end() {
        if (block_) { end_block(); }
    }

    [[nodiscard]] T value() && { return std::move(*sum_); }

private:
    struct Part {
        Mapped value;  // of a class, since a vector<bool> has no elements
    };
    using Parts = std::vector<Part>;
    using Values = std::variant<T, Parts>;
    struct Piece {
        std::size_t end;  // item
        Values values;
    };

    void fold_waiting() {
        while (!waiting_.empty() && waiting_.begin()->first == next_) {
            Piece piece = std::move(waiting_.extract(waiting_.begin()).mapped());
            next_ = SIZE_MAX;  // if this throws, nothing is folded any more
            if (T* const folded = std::get_if<0>(&piece.values)) {
                block_.emplace(std::move(*folded));
            } else {
                for (Part& part : *std::get_if<1>(&piece.values)) { add(std::move(part.value)); }
            }
            if (piece.end % fold_block == 0) { end_block(); }
            next_ = piece.end;
        }
    }
    void add(Mapped&& value) {
        if (!block_) {
            block_.emplace(static_cast<T>(std::move(value)));
            return;
        }
        T next = static_cast<T>(
            std::invoke(g_, std::move(*block_), std::move(value)));  // before the block goes, which it may refer to
        block_.emplace(std::move(next));
    }
    void end_block() {
        T next = static_cast<T>(std::invoke(g_, std::move(*sum_), std::move(*block_)));
        block_.reset();
        sum_.emplace(std::move(next));
    }

    G& g_;
    std::optional<T> sum_;
    std::optional<T> block_;                // what there is of the one that next_ is in
    std::size_t next_ = 0;                  // item
    std::map<std::size_t, Piece> waiting_;  // by their first items
};

template <class G, class T, class Mapped>
constexpr void require_folding() {
    static_assert(!std::is_void_v<Mapped>,
                  "procpool: map_reduce() folds what the first function returns, and it returns nothing");
    if constexpr (!std::is_void_v<Mapped>) {
        require_sendable<G>();
        require_encodable<T>();
        static_assert(std::is_constructible_v<T, Mapped>,
                      "procpool: map_reduce() begins each block with what the first function returns: it must convert "
                      "to the type of init");
        static_assert(std::is_invocable_r_v<T, G&, T, Mapped>,
                      "procpool: the second function of map_reduce() cannot be called with (init, what the first "
                      "function returns), "
                      "or does not return what converts to the type of init");
        static_assert(std::is_invocable_r_v<T, G&, T, T>,
                      "procpool: the second function of map_reduce() cannot be called with two values of the type of "
                      "init, which it gets for two blocks");
        static_assert(outlives_reader_v<T>,
                      "procpool: the sum of map_reduce() is a view, and what it views ends with its task");
    }
}

struct MapReduceCall {};

}  // namespace detail::map

template <class E>
template <class F, class G, class T, class Range>
T ProcessPool<E>::map_reduce(const MapOptions& options, F f, G reduce, T init, Range&& range) {
    using Input = detail::map::zipped_t<Range&>;
    detail::map::require_calls<Input, F>();
    if constexpr (Input::template calls<F>) {
        using Mapped = typename Input::template Result<F>;
        detail::map::require_folding<G, T, Mapped>();
        if constexpr (Sendable<G> && Encodable<T> && std::is_constructible_v<T, Mapped> &&
                      std::is_invocable_r_v<T, G&, T, Mapped> && std::is_invocable_r_v<T, G&, T, T>) {
            using Folding = detail::map::Folding<F, G, T>;
            detail::client::Client& run_by = open_client();
            Folding folding{std::move(f), std::move(reduce)};
            detail::map::FoldedResults<G, T, Mapped> sink{folding.g, std::move(init)};
            detail::map::run_chunked<Folding, typename Input::Item>(run_by, options, folding, range, sink);
            return std::move(sink).value();
        }
    }
}

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's map_reduce().

#include <procpool/map/input.hpp>
#include <procpool/map/map.hpp>
#include <procpool/map/sinks.hpp>
#include <procpool/map/wrapped.hpp>
#include <procpool/pool/process_pool.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::map {

/// Folds results in the order of the items, as soon as all before them are there: each block from left to right, then
/// the blocks' results.
template <class G, class T, class Mapped>
class FoldedResults final : public ResultSink {
public:
    static constexpr Results mode = Results::folded;

    FoldedResults(G& g, T init) : g_(g), sum_(std::move(init)) {}

    void take(std::size_t first, std::size_t count, Reader& in) override {
        for (std::size_t from = first; from < first + count; from += fold_block) {
            auto block = std::make_unique<Part>(from, std::min(from + fold_block, first + count));
            block->sum.emplace(decode_result<T>(in, from));
            parts_.add(std::move(block));
        }
        fold_parts();
    }
    void take_apart(std::size_t first, std::size_t count, Reader& in) override {
        auto part = std::make_unique<Part>(first, first + count);
        part->values.reserve(count);
        for (std::size_t i = 0; i < count; ++i) { part->values.push_back({decode_result<Mapped>(in, first + i)}); }
        parts_.add(std::move(part));
        fold_parts();
    }
    void skip(Reader& in, bool sum) override {
        if (sum) {
            static_cast<void>(Codec<T>::decode(in));
        } else {
            static_cast<void>(Codec<Mapped>::decode(in));
        }
    }
    /// The last block need not be whole.
    void end() override {
        if (block_) { end_block(); }
    }

    [[nodiscard]] T value() && { return std::move(*sum_); }

private:
    struct Value {
        Mapped value;  // of a class, since a vector<bool> has no elements
    };
    /// A block that the worker has folded, or items of one that it has not.
    struct Part final : Piece {
        Part(std::size_t from, std::size_t to) noexcept : Piece(from), end(to) {}
        std::size_t end;  // item
        std::optional<T> sum;
        std::vector<Value> values;
    };

    void fold_parts() {
        while (parts_.lowest() != nullptr && parts_.lowest()->first == next_) {
            const std::unique_ptr<Piece> lowest = parts_.take_lowest();
            auto& part = static_cast<Part&>(*lowest);
            next_ = SIZE_MAX;  // if this throws, nothing is folded any more
            if (part.sum) {
                block_.emplace(std::move(*part.sum));
            } else {
                for (Value& value : part.values) { add(std::move(value.value)); }
            }
            if (part.end % fold_block == 0) { end_block(); }
            next_ = part.end;
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
    std::optional<T> block_;  // the sum so far of the block that next_ is in
    std::size_t next_ = 0;    // item
    Pieces parts_;
};

template <class G, class T, class Mapped>
constexpr void require_folding() {
    static_assert(!std::is_void_v<Mapped>,
                  "procpool: map_reduce() folds what the first function returns, and it returns nothing");
    if constexpr (std::is_void_v<Mapped>) {
        return;
    } else if constexpr (!codec::Sendable<G>) {
        codec::require_sendable<G>();
    } else if constexpr (!Encodable<T>) {
        codec::require_travels<T>();
    } else if constexpr (!std::is_constructible_v<T, Mapped>) {
        static_assert(codec::never<T>,
                      "procpool: map_reduce() begins each block with what the first function returns, which does not "
                      "convert to the type of init: let the first function return that type");
    } else if constexpr (!std::is_invocable_r_v<T, G&, T, Mapped>) {
        static_assert(codec::never<T>,
                      "procpool: the second function of map_reduce() cannot be called with (init, what the first "
                      "function returns), or does not return what converts to the type of init");
    } else {
        static_assert(std::is_invocable_r_v<T, G&, T, T>,
                      "procpool: the second function of map_reduce() cannot be called with two values of the type of "
                      "init, which it gets for two blocks");
        static_assert(codec::outlives_reader_v<T>,
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
        if constexpr (detail::codec::Sendable<G> && Encodable<T> && std::is_constructible_v<T, Mapped> &&
                      std::is_invocable_r_v<T, G&, T, Mapped> && std::is_invocable_r_v<T, G&, T, T>) {
            using MapThenFold = detail::map::MapThenFold<typename Input::template Called<F>, G, T>;
            detail::client::Client& run_by = open_client();
            MapThenFold folding{Input::call(std::move(f)), std::move(reduce)};
            detail::map::FoldedResults<G, T, Mapped> sink{folding.g, std::move(init)};
            detail::map::run_items<MapThenFold, typename Input::Item>(run_by, options, folding, range, sink);
            return std::move(sink).value();
        }
    }
}

}  // namespace procpool

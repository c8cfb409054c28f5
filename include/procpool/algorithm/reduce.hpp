// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's map_reduce().

#include <procpool/algorithm/chunked.hpp>
#include <procpool/algorithm/input.hpp>
#include <procpool/algorithm/map.hpp>
#include <procpool/algorithm/wrapped.hpp>
#include <procpool/pool/process_pool.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>

namespace procpool {

namespace algorithm {

/// Folds the blocks' results in their order, as soon as those before are there.
template <class G, class T>
class FoldedResults {
public:
    static constexpr Results mode = Results::folded;

    FoldedResults(G& g, T init) : g_(g), sum_(std::move(init)) {}

    void take(std::size_t first, std::size_t count, Reader& in) {
        for (std::size_t block = first; block < first + count; ++block) { waiting_.emplace(block, Codec<T>::decode(in)); }
        for (; !waiting_.empty() && waiting_.begin()->first == next_; ++next_) { add(std::move(waiting_.extract(waiting_.begin()).mapped())); }
    }

    [[nodiscard]] T value() && { return std::move(*sum_); }

private:
    void add(T block) {
        T next = static_cast<T>(std::invoke(g_, std::move(*sum_), std::move(block)));
        sum_.emplace(std::move(next));
    }

    G& g_;
    std::optional<T> sum_;
    std::size_t next_ = 0;  // block
    std::map<std::size_t, T> waiting_;
};

template <class G, class T, class Mapped>
constexpr void require_folding() {
    static_assert(!std::is_void_v<Mapped>, "procpool: map_reduce() folds what the first function returns, and it returns nothing");
    if constexpr (!std::is_void_v<Mapped>) {
        require_sendable<G>();
        require_encodable<T>();
        static_assert(std::is_constructible_v<T, Mapped>, "procpool: map_reduce() begins each block with what the first function returns: it must convert to the type of init");
        static_assert(std::is_invocable_r_v<T, G&, T, Mapped>, "procpool: the second function of map_reduce() cannot be called with (init, what the first function returns), "
                                                               "or does not return what converts to the type of init");
        static_assert(std::is_invocable_r_v<T, G&, T, T>, "procpool: the second function of map_reduce() cannot be called with two values of the type of init, which it gets for two blocks");
        static_assert(outlives_reader_v<T>, "procpool: the sum of map_reduce() is a view, and what it views ends with its task");
    }
}

}  // namespace algorithm

template <Engine E>
template <class F, class G, class T, class Range>
T ProcessPool<E>::map_reduce(const MapOptions& options, F f, G reduce, T init, Range&& range) {
    using Input = algorithm::zipped_t<Range&>;
    algorithm::require_calls<Input, F>();
    if constexpr (Input::template calls<F>) {
        using Mapped = typename Input::template Result<F>;
        algorithm::require_folding<G, T, Mapped>();
        if constexpr (Sendable<G> && Encodable<T> && std::is_constructible_v<T, Mapped> && std::is_invocable_r_v<T, G&, T, Mapped> && std::is_invocable_r_v<T, G&, T, T>) {
            using Folding = algorithm::Folding<F, G, T>;
            engine::Client& run_by = open_client();
            Folding folding{std::move(f), std::move(reduce)};
            algorithm::FoldedResults<G, T> sink{folding.g, std::move(init)};
            algorithm::run_chunked<Folding, typename Input::Item>(run_by, options, folding, range, sink);
            return std::move(sink).value();
        }
    }
}

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's map(), for_each() and map_into().

#include <procpool/algorithm/chunked.hpp>
#include <procpool/pool/process_pool.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool {

namespace algorithm {

/// What an item of a range travels as.
template <class Range>
using item_t = stored_t<std::ranges::range_reference_t<Range>>;

/// Whether the items can be used where they are, if they are in memory that the workers share.
template <class Range>
inline constexpr bool may_be_shared_v = std::ranges::contiguous_range<Range> && std::ranges::sized_range<Range> &&
                                        std::is_trivially_copyable_v<std::ranges::range_value_t<Range>> &&
                                        std::is_same_v<item_t<Range>, std::ranges::range_value_t<Range>>;

/// f wants a reference that it may change.
template <class F, class Range>
inline constexpr bool wants_in_place_v = std::ranges::contiguous_range<Range> && !std::is_invocable_v<F&, item_t<Range>> &&
                                         std::is_invocable_v<F&, std::ranges::range_value_t<Range>&>;

template <class Range>
[[nodiscard]] bool is_shared(Range& range, PlaceOf place_of) {
    if constexpr (may_be_shared_v<Range>) {
        const auto* const begin = std::ranges::data(range);
        const std::size_t size = static_cast<std::size_t>(std::ranges::size(range));
        return size != 0 && place_of(begin) == Place::shared && place_of(begin + size - 1) == Place::shared;
    } else {
        return false;
    }
}

struct NoResults {
    static constexpr Results mode = Results::none;
};

/// Results as a vector, where all are plain and their number is known: each chunk is copied to its place.
template <class Result>
class PlainResults {
public:
    static constexpr Results mode = Results::copied;
    explicit PlainResults(std::optional<std::size_t> count) : all_(*count) {}
    void take(std::size_t first, std::size_t count, Reader& in) { in.read(all_.data() + first, count * sizeof(Result)); }
    [[nodiscard]] std::vector<Result> vector() && { return std::move(all_); }

private:
    std::vector<Result> all_;
};

template <class Result>
inline constexpr bool fits_plain_results_v =
    is_plain_v<Result> && std::is_default_constructible_v<Result> && !std::is_empty_v<Result> && !std::is_same_v<Result, bool>;

/// Results as a vector, decoded one by one, each chunk apart until all are there.
template <class Result>
class DecodedResults {
public:
    static constexpr Results mode = Results::copied;
    explicit DecodedResults(std::optional<std::size_t>) noexcept {}
    void take(std::size_t first, std::size_t count, Reader& in) {
        std::vector<Result>& chunk = chunks_[first];
        chunk.reserve(count);
        for (std::size_t i = 0; i < count; ++i) { chunk.push_back(Codec<Result>::decode(in)); }
    }
    [[nodiscard]] std::vector<Result> vector() && {
        std::size_t count = 0;
        for (const auto& [first, chunk] : chunks_) { count += chunk.size(); }
        std::vector<Result> all;
        all.reserve(count);
        for (auto& [first, chunk] : chunks_) { std::ranges::move(chunk, std::back_inserter(all)); }
        return all;
    }

private:
    std::map<std::size_t, std::vector<Result>> chunks_;
};

/// Results assigned to the elements of a span.
template <class Result, class Element>
class AssignedResults {
public:
    static constexpr Results mode = Results::copied;
    explicit AssignedResults(std::span<Element> output) noexcept : output_(output) {}
    void take(std::size_t first, std::size_t count, Reader& in) {
        if (count > output_.size() - first) { throw too_small(); }
        for (std::size_t i = first; i < first + count; ++i) { output_[i] = Codec<Result>::decode(in); }
        taken_ += count;
    }
    [[nodiscard]] bool is_full() const noexcept { return taken_ == output_.size(); }
    [[nodiscard]] static std::invalid_argument too_small() {
        return std::invalid_argument("procpool: map_into() needs an output of the input's size");
    }

private:
    std::span<Element> output_;
    std::size_t taken_ = 0;
};

/// Results that workers write where they belong.
template <class Element>
class SharedResults {
public:
    static constexpr Results mode = Results::shared;
    explicit SharedResults(Element* output) noexcept : output_(output) {}
    [[nodiscard]] void* address(std::size_t first) const noexcept { return output_ + first; }

private:
    Element* output_;
};

/// Chooses how the items travel, and runs.
template <class F, class Range, class Sink>
void run_chunked(engine::Client& client, PlaceOf place_of, const MapOptions& options, const F& f, Range& range, Sink& sink) {
    using Item = item_t<Range>;
    if constexpr (may_be_shared_v<Range>) {
        if (is_shared(range, place_of)) {
            Chunked<F, Item, Items::shared, Range, Sink>{client, options, f, range, sink}.run();
            return;
        }
    }
    Chunked<F, Item, Items::copied, Range, Sink>{client, options, f, range, sink}.run();
}

}  // namespace algorithm

template <Engine E>
template <class F, std::ranges::input_range Range>
auto ProcessPool<E>::map(const MapOptions& options, F f, Range&& range) {
    using Item = algorithm::item_t<Range>;
    using Result = task_result_t<F, Item>;
    require_task_call<F, Item>();
    if constexpr (TaskCall<F, Item>) {  // or else one error is enough
        static_assert(!std::is_void_v<Result>, "procpool: map() collects results, and this function returns none: use for_each()");
        if constexpr (!std::is_void_v<Result>) {
            using Plain = algorithm::PlainResults<Result>;
            using Sink = std::conditional_t<algorithm::fits_plain_results_v<Result> && std::ranges::sized_range<Range>, Plain, algorithm::DecodedResults<Result>>;
            engine::Client& run_by = open_client();
            Sink sink{algorithm::size_if_known(range)};
            algorithm::run_chunked(run_by, E::place_of, options, f, range, sink);
            return std::move(sink).vector();
        }
    }
}

template <Engine E>
template <class F, std::ranges::input_range Range>
auto ProcessPool<E>::map(F f, Range&& range) {
    return map(MapOptions{}, std::move(f), range);
}

template <Engine E>
template <class F, std::ranges::input_range Range>
void ProcessPool<E>::for_each(const MapOptions& options, F f, Range&& range) {
    using R = std::remove_reference_t<Range>;
    algorithm::NoResults sink;
    engine::Client& run_by = open_client();
    if constexpr (algorithm::wants_in_place_v<F, R>) {
        using Item = std::ranges::range_value_t<R>;
        require_sendable<F>();
        static_assert(std::is_trivially_copyable_v<Item>, "procpool: for_each() changes trivially copyable elements only");
        if (std::ranges::empty(range)) { return; }
        if (!algorithm::is_shared(range, E::place_of)) {
            throw CodecError("procpool: for_each() with a function that changes its items needs them in shared memory: use a SharedArray, or map()");
        }
        algorithm::Chunked<F, Item, algorithm::Items::in_place, R, algorithm::NoResults>{run_by, options, f, range, sink}.run();
    } else {
        require_task_call<F, algorithm::item_t<Range>>();
        algorithm::run_chunked(run_by, E::place_of, options, f, range, sink);
    }
}

template <Engine E>
template <class F, std::ranges::input_range Range>
void ProcessPool<E>::for_each(F f, Range&& range) {
    for_each(MapOptions{}, std::move(f), range);
}

template <Engine E>
template <class F, std::ranges::input_range Range, std::ranges::contiguous_range Output>
void ProcessPool<E>::map_into(const MapOptions& options, F f, Range&& range, Output&& output) {
    using Item = algorithm::item_t<Range>;
    using Element = std::ranges::range_value_t<Output>;
    require_task_call<F, Item>();
    using Result = task_result_t<F, Item>;
    static_assert(std::is_assignable_v<Element&, Result>, "procpool: map_into() cannot assign what this function returns to the output's elements");
    engine::Client& run_by = open_client();
    if constexpr (std::ranges::sized_range<Range>) {
        if (static_cast<std::size_t>(std::ranges::size(range)) != static_cast<std::size_t>(std::ranges::size(output))) {
            throw algorithm::AssignedResults<Result, Element>::too_small();
        }
        if constexpr (std::is_same_v<Result, Element> && std::is_trivially_copyable_v<Element>) {
            if (algorithm::is_shared(output, E::place_of)) {
                algorithm::SharedResults<Element> sink{std::ranges::data(output)};
                algorithm::run_chunked(run_by, E::place_of, options, f, range, sink);
                return;
            }
        }
    }
    algorithm::AssignedResults<Result, Element> sink{std::span<Element>{output}};
    algorithm::run_chunked(run_by, E::place_of, options, f, range, sink);
    if (!sink.is_full()) { throw sink.too_small(); }  // the input was shorter, which only its end told
}

template <Engine E>
template <class F, std::ranges::input_range Range, std::ranges::contiguous_range Output>
void ProcessPool<E>::map_into(F f, Range&& range, Output&& output) {
    map_into(MapOptions{}, std::move(f), range, output);
}

}  // namespace procpool

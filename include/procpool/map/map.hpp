// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's map(), starmap(), map_outcomes(), for_each() and map_into().

#include <procpool/map/in_place.hpp>
#include <procpool/map/input.hpp>
#include <procpool/map/outcome.hpp>
#include <procpool/map/sinks.hpp>
#include <procpool/map/typed_driver.hpp>
#include <procpool/map/wrapped.hpp>
#include <procpool/pool/process_pool.hpp>

#include <algorithm>  // and the concepts of ranges
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

namespace detail::map {

/// Runs a call, with its items where they are if the workers share that memory.
template <class F, class Item, class Range, class Sink>
void run_items(client::Client& client, const MapOptions& options, const F& f, Range& range, Sink& sink) {
    using Driver = TypedMapDriver<F, Item, Items::copied, Range, Sink>;
    const bool shared = !options.journal && is_shared(range, client::place_of(client));
    if constexpr (may_be_shared_v<Range> && !Driver::may_share_items) {
        if (shared) {
            TypedMapDriver<F, Item, Items::shared, Range, Sink>{client, options, f, range, sink}.run();
            return;
        }
    }
    Driver{client, options, f, range, sink, {.shares_items = shared && Driver::may_share_items}}.run();
}

/// A vector of what the calls return. Input: see input.hpp.
template <class Input, class F>
auto run_map(client::Client& client, const MapOptions& options, F f, Input input) {
    using Result = typename Input::template Result<F>;
    using Range = typename Input::Range;
    using Sink = std::conditional_t<fits_plain_results_v<Result> && std::ranges::sized_range<Range>,
                                    PlainResults<Result>, DecodedResults<Result>>;
    using Called = typename Input::template Called<F>;
    Sink sink{size_if_known(input.range())};
    run_items<Called, typename Input::Item>(client, options, input.call(std::move(f)), input.range(), sink);
    return std::move(sink).vector();
}

struct MapCalls {};

}  // namespace detail::map

template <class E>
template <class F, class... Ranges>
auto ProcessPool<E>::map(const MapOptions& options, F f, Ranges&&... ranges) {
    using Input = detail::map::zipped_t<Ranges&...>;
    detail::map::require_results<Input, F>();
    if constexpr (detail::map::gives_results_v<Input, F>) {
        return detail::map::run_map(open_client(), options, std::move(f), Input{ranges...});
    } else {
        return detail::codec::this_call_is_refused{};
    }
}

template <class E>
template <class F, class Range>
auto ProcessPool<E>::starmap(const MapOptions& options, F f, Range&& range) {
    using Input = detail::map::starred_t<Range&>;
    detail::map::require_results<Input, F>();
    if constexpr (detail::map::gives_results_v<Input, F>) {
        return detail::map::run_map(open_client(), options, std::move(f), Input{range});
    } else {
        return detail::codec::this_call_is_refused{};
    }
}

template <class E>
template <class F, class... Ranges>
auto ProcessPool<E>::map_outcomes(const MapOptions& options, F f, Ranges&&... ranges) {
    using Input = detail::map::zipped_t<Ranges&...>;
    detail::map::require_calls<Input, F>();
    if constexpr (Input::template calls<F>) {
        using Item = typename Input::Item;
        using Called = typename Input::template Called<F>;
        using AsOutcome = detail::map::AsOutcome<Called, Item>;
        Input input{ranges...};
        detail::client::Client& run_by = open_client();
        detail::map::Outcomes<typename Input::template Result<F>> sink;
        detail::map::run_items<AsOutcome, Item>(run_by, options, AsOutcome{input.call(std::move(f))}, input.range(),
                                                sink);
        return std::move(sink).vector();
    } else {
        return detail::codec::this_call_is_refused{};
    }
}

template <class E>
template <class F, class... Ranges>
void ProcessPool<E>::for_each(const MapOptions& options, F f, Ranges&&... ranges) {
    detail::map::NoResults sink;
    using Input = detail::map::zipped_t<Ranges&...>;
    if constexpr (detail::map::want_in_place_v<F, std::remove_reference_t<Ranges>...>) {
        detail::map::require_in_place<F, std::remove_reference_t<Ranges>...>();
        Input input{ranges...};
        detail::client::Client& run_by = open_client();
        auto items = detail::map::items_in_place(run_by, input.range());
        const auto call =
            input.call(detail::map::as_callee<detail::map::callee_in_place_t<F, std::remove_reference_t<Ranges>...>>(
                std::move(f)));
        detail::map::TypedMapDriver<std::remove_cv_t<decltype(call)>, std::ranges::range_value_t<decltype(items)>,
                                    detail::map::Items::in_place, decltype(items), detail::map::NoResults>{
            run_by, options, call, items, sink}
            .run();
    } else {
        detail::map::require_calls<Input, F>();
        if constexpr (Input::template calls<F>) {
            using Called = typename Input::template Called<F>;
            Input input{ranges...};
            detail::client::Client& run_by = open_client();
            detail::map::run_items<Called, typename Input::Item>(run_by, options, input.call(std::move(f)),
                                                                 input.range(), sink);
        }
    }
}

template <class E>
template <class F, std::ranges::input_range Range, std::ranges::contiguous_range Output>
void ProcessPool<E>::map_into(const MapOptions& options, F f, Range&& range, Output&& output) {
    using Input = detail::map::zipped_t<Range&>;
    detail::map::require_calls<Input, F>();
    if constexpr (Input::template calls<F>) {
        using Item = typename Input::Item;
        using Element = std::ranges::range_value_t<Output>;
        using Called = typename Input::template Called<F>;
        using Result = typename Input::template Result<F>;
        static_assert(std::is_assignable_v<Element&, Result>,
                      "procpool: map_into() cannot assign what this function returns to the output's elements");
        detail::client::Client& run_by = open_client();
        const Called called = Input::call(std::move(f));
        if constexpr (std::ranges::sized_range<Range>) {
            if (static_cast<std::size_t>(std::ranges::size(range)) !=
                static_cast<std::size_t>(std::ranges::size(output))) {
                throw detail::map::AssignedResults<Result, Element>::too_small();
            }
            if constexpr (std::is_same_v<Result, Element> && std::is_trivially_copyable_v<Element>) {
                if (!options.journal && options.hedge == 0 &&
                    detail::map::is_shared(output, detail::client::place_of(run_by))) {
                    detail::map::SharedResults<Element> sink{std::ranges::data(output)};
                    detail::map::run_items<Called, Item>(run_by, options, called, range, sink);
                    return;
                }
            }
        }
        detail::map::AssignedResults<Result, Element> sink{std::span<Element>{output}};
        detail::map::run_items<Called, Item>(run_by, options, called, range, sink);
        if (!sink.is_full()) { throw sink.too_small(); }  // the input was shorter, as its end has shown
    }
}

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// fork_map(): a map whose workers are forked for it, so that they have all of the caller's memory.

#include <procpool/codec/callable.hpp>
#include <procpool/codec/overload_set.hpp>
#include <procpool/core/random.hpp>
#include <procpool/map/map.hpp>
#include <procpool/map/repeat.hpp>
#include <procpool/map/seeded.hpp>
#include <procpool/map/zip.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/pool/process_pool.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <ranges>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::map {

/// The items of a range by their numbers. They stay where they are, but for those of a range that can be read only
/// once, which are kept here.
template <class Range>
class IndexedItems {
    using Iterator = std::ranges::iterator_t<Range>;
    static constexpr bool by_arithmetic = std::ranges::random_access_range<Range>;
    static constexpr bool by_iterator = std::ranges::forward_range<Range>;
    using Kept = std::conditional_t<
        by_arithmetic, Iterator,
        std::conditional_t<by_iterator, std::vector<Iterator>, std::deque<std::ranges::range_value_t<Range>>>>;

public:
    static constexpr bool is_counted = by_arithmetic && (std::ranges::sized_range<Range> || is_endless_v<Range>);

    explicit IndexedItems(Range& range) : range_(range) {
        if constexpr (by_arithmetic) { kept_ = std::ranges::begin(range); }
    }

    /// Returns: how many there are without reading them.
    [[nodiscard]] std::size_t count() const {
        if constexpr (std::ranges::sized_range<Range>) {
            return static_cast<std::size_t>(std::ranges::size(range_));
        } else {
            return SIZE_MAX;
        }
    }

    /// Effects: finds items, at most `most`. Returns: how many there are then. Throws: what the range throws.
    [[nodiscard]] std::size_t read(std::size_t most) {
        std::size_t read = 0;
        auto it = std::ranges::begin(range_);
        for (const auto end = std::ranges::end(range_); read < most && it != end; ++read) {
            if constexpr (!by_arithmetic && by_iterator) {
                kept_.push_back(it);
            } else if constexpr (!by_iterator) {
                kept_.emplace_back(*it);
            }
            if (read + 1 == most) {
                ++read;
                break;
            }  // an item behind the last one may take for ever
            ++it;
        }
        return read;
    }

    [[nodiscard]] decltype(auto) operator[](std::size_t i) {
        if constexpr (by_arithmetic) {
            return *(kept_ + static_cast<std::ranges::range_difference_t<Range>>(i));
        } else if constexpr (by_iterator) {
            return *kept_[i];
        } else {
            return std::move(kept_[i]);
        }
    }

private:
    Range& range_;
    Kept kept_;
};

/// The calls f(items...), by their numbers.
template <class F, class... Ranges>
class IndexedCalls {
    template <class Range>
    using Item = decltype(std::declval<IndexedItems<Range>&>()[0]);

public:
    /// The first that compiles is taken.
    enum class Form { impossible, direct, with_stop_token, with_random, with_stop_token_and_random };
    template <class Callee>
    static consteval Form find_form() {
        if constexpr (std::is_invocable_v<Callee, Item<Ranges>...>) {
            return Form::direct;
        } else if constexpr (std::is_invocable_v<Callee, std::stop_token, Item<Ranges>...>) {
            return Form::with_stop_token;
        } else if constexpr (takes_random_v<Callee, Item<Ranges>...>) {
            return Form::with_random;
        } else if constexpr (takes_random_v<Callee, std::stop_token, Item<Ranges>...>) {
            return Form::with_stop_token_and_random;
        } else {
            return Form::impossible;
        }
    }
    static constexpr Form form = find_form<F&>();

    IndexedCalls(F& f, Ranges&... ranges) : f_(f), items_(IndexedItems<Ranges>{ranges}...) {}

    /// Effects: finds the items. Returns: the number of calls.
    [[nodiscard]] std::size_t read() {
        std::size_t count = SIZE_MAX;
        std::apply(
            [&](auto&... items) {
                (count_or_read(items, count, true), ...);
                (count_or_read(items, count, false), ...);
            },
            items_);
        return count;
    }

    /// \{
    /// Makes the call `i`, in its form.
    decltype(auto) operator()(std::size_t i) {
        return std::apply([&](auto&... items) -> decltype(auto) { return std::invoke(f_, items[i]...); }, items_);
    }
    decltype(auto) operator()(const std::stop_token& stop, std::size_t i) {
        return std::apply([&](auto&... items) -> decltype(auto) { return std::invoke(f_, stop, items[i]...); }, items_);
    }
    decltype(auto) operator()(std::size_t i, Random& random) {
        return std::apply([&](auto&... items) -> decltype(auto) { return std::invoke(f_, items[i]..., random); },
                          items_);
    }
    decltype(auto) operator()(const std::stop_token& stop, std::size_t i, Random& random) {
        return std::apply([&](auto&... items) -> decltype(auto) { return std::invoke(f_, stop, items[i]..., random); },
                          items_);
    }
    /// \}

private:
    /// Effects: `count` is no more than there are items; those that must be read are read when it is known from the
    /// others.
    template <class Range>
    static void count_or_read(IndexedItems<Range>& items, std::size_t& count, bool only_count) {
        if constexpr (IndexedItems<Range>::is_counted) {
            if (only_count) { count = std::min(count, items.count()); }
        } else {
            if (!only_count) { count = std::min(count, items.read(count)); }
        }
    }

    F& f_;
    std::tuple<IndexedItems<Ranges>...> items_;
};

/// Returns: the callable that a worker calls with numbers. It refers to the caller's memory, of which every worker has
/// a copy.
template <class Calls>
[[nodiscard]] auto as_inherited_call(Calls& calls) {
    if constexpr (Calls::form == Calls::Form::with_stop_token) {
        return codec::Snapshot(
            [&calls](std::stop_token stop, std::size_t i) -> decltype(auto) { return calls(stop, i); });
    } else if constexpr (Calls::form == Calls::Form::with_random) {
        return codec::Snapshot([&calls](std::size_t i, Random& random) -> decltype(auto) { return calls(i, random); });
    } else if constexpr (Calls::form == Calls::Form::with_stop_token_and_random) {
        return codec::Snapshot([&calls](std::stop_token stop, std::size_t i, Random& random) -> decltype(auto) {
            return calls(stop, i, random);
        });
    } else {
        return codec::Snapshot([&calls](std::size_t i) -> decltype(auto) { return calls(i); });
    }
}

template <class Options>
struct wrong_options_of_fork_map {
    static_assert(codec::never<Options>,
                  "procpool: fork_map() takes PoolOptions, then MapOptions, then the function: "
                  "fork_map(PoolOptions{...}, MapOptions{...}, f, ranges...), or without MapOptions, or without both");
};

template <class F, class... Ranges>
inline constexpr bool can_fork_map_v = [] {
    if constexpr (sizeof...(Ranges) != 0 && (std::ranges::input_range<Ranges> && ...)) {
        using Calls = IndexedCalls<F, Ranges...>;
        return !(is_repeat_v<std::remove_cv_t<Ranges>> && ...) && Calls::form != Calls::Form::impossible;
    } else {
        return false;
    }
}();

/// Does not compile, and says why, unless can_fork_map_v.
template <class F, class... Ranges>
constexpr auto require_fork_map() {
    using Function = std::remove_cv_t<F>;
    if constexpr (is_options_v<F> || (is_options_v<Ranges> || ...)) {
        static_cast<void>(sizeof(wrong_options_of_fork_map<Function>));
    } else if constexpr (codec::looks_like_range_v<F> || !codec::may_be_function_v<Function>) {
        static_cast<void>(sizeof(codec::not_a_function<Function>));
    } else if constexpr (sizeof...(Ranges) == 0) {
        static_cast<void>(sizeof(no_range<Ranges...>));
    } else if constexpr (!(std::ranges::input_range<Ranges> && ...)) {
        static_cast<void>(sizeof(not_a_range<typename culprit<Ranges...>::type>));
    } else if constexpr ((is_repeat_v<std::remove_cv_t<Ranges>> && ...)) {
        static_cast<void>(sizeof(only_repeats<Ranges...>));
    } else if constexpr (!can_fork_map_v<F, Ranges...>) {
        using Mistake = codec::mistake_t<Function, decltype(std::declval<IndexedItems<Ranges>&>()[0])...>;
        static_cast<void>(sizeof(not_callable_with_items<Mistake, Function>));
    }
}

}  // namespace detail::map

/// \{
/// Calls f(items...) for all items in workers that are forked for this call, after the ranges have been read. They have
/// a copy of the caller's memory as it is then, so f may be any callable and capture anything: neither f nor the items
/// travel, only the results. Changes that f makes stay in its worker's copy. f gets items of a range that can be read
/// more than once as its iterators refer to them, in that copy, and other items as rvalues. Several ranges are zipped,
/// to the shortest. f may take a `Random&` behind its items, see MapOptions::seed. MapOptions::total_timeout counts
/// from the first fork. Returns: the results, in the order of the items; nothing if f returns nothing. Throws: as
/// ProcessPool's constructor and map(); what a range throws, before anything runs.
template <class F, class... Ranges>
requires(!std::same_as<std::remove_cvref_t<F>, PoolOptions>) auto fork_map(F&& f, Ranges&&... ranges) {
    return fork_map(PoolOptions{}, MapOptions{}, f, ranges...);
}
template <class F, class... Ranges>
requires(!std::same_as<std::remove_cvref_t<F>, MapOptions>) auto fork_map(PoolOptions pool_options, F&& f,
                                                                          Ranges&&... ranges) {
    return fork_map(std::move(pool_options), MapOptions{}, f, ranges...);
}
template <class F, class... Ranges>
auto fork_map(PoolOptions pool_options, const MapOptions& options, F&& f, Ranges&&... ranges) {
    detail::map::require_fork_map<std::remove_reference_t<F>, std::remove_reference_t<Ranges>...>();
    if constexpr (!detail::map::can_fork_map_v<std::remove_reference_t<F>, std::remove_reference_t<Ranges>...>) {
        return detail::codec::this_call_is_refused{};
    } else {
        check(pool_options);
        check_task(options);
        detail::map::refuse_journal(options, "fork_map()", "its items do not travel, so that nobody knows them again");
        detail::map::IndexedCalls<std::remove_reference_t<F>, std::remove_reference_t<Ranges>...> calls{f, ranges...};
        const auto numbers = std::views::iota(std::size_t{0}, calls.read());
        const auto call = detail::map::as_inherited_call(calls);
        if (pool_options.workers == 0) { pool_options.workers = usable_cpus(); }
        pool_options.workers = std::clamp<std::size_t>(numbers.size(), 1, pool_options.workers);
        pool_options.min_workers = std::min(pool_options.min_workers, pool_options.workers);
        pool_options.grow_to = 0;
        constexpr bool returns =
            !std::is_void_v<detail::map::item_call_result_t<std::remove_const_t<decltype(call)>, std::size_t>>;
        if constexpr (returns) {
            using Results = decltype(std::declval<Pool&>().map(options, call, numbers));
            return numbers.empty() ? Results{} : Pool{std::move(pool_options)}.map(options, call, numbers);
        } else {
            if (!numbers.empty()) { Pool{std::move(pool_options)}.for_each(options, call, numbers); }
        }
    }
}

/// \}

PROCPOOL_REFUSE_OVERLOAD_SET(fork_map)

}  // namespace procpool

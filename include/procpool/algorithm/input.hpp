// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The input of a call over many items: what the items are, what the function gets of them, and whether that works.

#include <procpool/algorithm/wrapped.hpp>
#include <procpool/algorithm/zip.hpp>
#include <procpool/codec/call.hpp>

#include <concepts>
#include <cstddef>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::algorithm {

/// What an item of a range travels as.
template <class Range>
using item_t = stored_t<std::ranges::range_reference_t<Range>>;

/// Whether the items can be used where they are, if they are in memory that the workers share.
template <class Range>
inline constexpr bool may_be_shared_v = false;
template <std::ranges::contiguous_range Range>
    requires std::ranges::sized_range<Range>
inline constexpr bool may_be_shared_v<Range> =
    std::is_trivially_copyable_v<std::ranges::range_value_t<Range>> && std::is_same_v<item_t<Range>, std::ranges::range_value_t<Range>>;

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

/// f wants a reference to the only range's items, that it may change.
template <class F, class... Ranges>
inline constexpr bool want_in_place_v = false;
template <class F, std::ranges::contiguous_range Range>
inline constexpr bool want_in_place_v<F, Range> = !std::is_invocable_v<F&, item_t<Range>> && std::is_invocable_v<F&, std::ranges::range_value_t<Range>&>;

/// A range of the caller's by reference, and one that is given away by value.
template <class Range>
using held_t = std::conditional_t<std::is_lvalue_reference_v<Range>, std::ranges::ref_view<std::remove_reference_t<Range>>, std::remove_cvref_t<Range>>;

/// An Input tells, for a function F:
///   Item         what an item travels as
///   Called<F>    the callable that a worker calls with an Item
///   Result<F>    what that returns
///   checks<F>()  whether it works; does not compile, and says why, if not
///   Range        of the items, the range() of this input

/// One range as it is.
template <class R>
class Single {
public:
    using Range = std::remove_reference_t<R>;
    using Item = item_t<Range>;
    template <class F>
    using Called = F;
    template <class F>
    using Result = task_result_t<F, Item>;
    template <class F>
    static consteval bool checks() {
        require_task_call<F, Item>();
        return TaskCall<F, Item>;
    }

    explicit Single(R range) : range_(std::forward<R>(range)) {}
    [[nodiscard]] Range& range() noexcept { return range_; }

private:
    R range_;
};

/// Several ranges side by side.
template <class... Rs>
class Zipped {
public:
    using Range = Zip<held_t<Rs>...>;
    using Item = std::tuple<item_t<Rs>...>;
    template <class F>
    using Called = Unpacked<F, std::ranges::range_reference_t<Rs>...>;
    template <class F>
    using Result = task_result_t<F, std::ranges::range_reference_t<Rs>...>;
    template <class F>
    static consteval bool checks() {
        require_task_call<F, std::ranges::range_reference_t<Rs>...>();
        return TaskCall<F, std::ranges::range_reference_t<Rs>...>;
    }

    explicit Zipped(Rs... ranges) : range_(held_t<Rs>(std::forward<Rs>(ranges))...) {}
    [[nodiscard]] Range& range() noexcept { return range_; }

private:
    Range range_;
};

template <class T>
concept TupleLike = requires { std::tuple_size<T>::value; };

/// One range whose items hold the arguments.
template <class R, class Indices>
class StarredInput;
template <class R, std::size_t... At>
class StarredInput<R, std::index_sequence<At...>> {
    using Tuple = std::remove_cvref_t<std::ranges::range_reference_t<R>>;

public:
    using Range = Starred<held_t<R>>;
    using Item = std::tuple<stored_t<std::tuple_element_t<At, Tuple>>...>;
    template <class F>
    using Called = Unpacked<F, std::tuple_element_t<At, Tuple>...>;
    template <class F>
    using Result = task_result_t<F, std::tuple_element_t<At, Tuple>...>;
    template <class F>
    static consteval bool checks() {
        require_task_call<F, std::tuple_element_t<At, Tuple>...>();
        return TaskCall<F, std::tuple_element_t<At, Tuple>...>;
    }

    explicit StarredInput(R range) : range_(held_t<R>(std::forward<R>(range))) {}
    [[nodiscard]] Range& range() noexcept { return range_; }

private:
    Range range_;
};

/// Says what is wrong.
struct NoInput {
    template <class F>
    static consteval bool checks() {
        return false;
    }
};

template <class R>
struct not_a_range : NoInput {
    static_assert(!std::is_same_v<R, R>, "procpool: an argument after the function of a call over many items is no range (std::ranges::input_range); "
                                         "options, if there are any, come first: capture other values, or pass the same one with every item");
};
template <class T>
struct not_a_tuple : NoInput {
    static_assert(!std::is_same_v<T, T>, "procpool: starmap() takes a range of tuples, pairs or arrays, whose elements become the arguments: use map()");
};
template <class... Nothing>
struct no_range : NoInput {
    static_assert(sizeof...(Nothing) != 0, "procpool: a call over many items needs a range of them after its function");
};

/// The first of Rs that is no range; the last if all are.
template <class R, class... Rs>
struct culprit : culprit<Rs...> {};
template <class R, class... Rs>
    requires(sizeof...(Rs) == 0 || !std::ranges::input_range<R>)
struct culprit<R, Rs...> {
    using type = std::remove_cvref_t<R>;
};

template <class... Rs>
consteval auto find_zipped() {
    if constexpr (sizeof...(Rs) == 0) {
        return std::type_identity<no_range<Rs...>>{};
    } else if constexpr (!(std::ranges::input_range<Rs> && ...)) {
        return std::type_identity<not_a_range<typename culprit<Rs...>::type>>{};
    } else if constexpr (sizeof...(Rs) == 1) {
        return std::type_identity<Single<Rs...>>{};
    } else {
        return std::type_identity<Zipped<Rs...>>{};
    }
}
/// The input that these ranges are: the caller's where they are lvalue references.
template <class... Rs>
using zipped_t = typename decltype(find_zipped<Rs...>())::type;

template <class R>
consteval auto find_starred() {
    if constexpr (!std::ranges::input_range<R>) {
        return std::type_identity<not_a_range<std::remove_cvref_t<R>>>{};
    } else {
        using Tuple = std::remove_cvref_t<std::ranges::range_reference_t<R>>;
        if constexpr (TupleLike<Tuple>) {
            return std::type_identity<StarredInput<R, std::make_index_sequence<std::tuple_size_v<Tuple>>>>{};
        } else {
            return std::type_identity<not_a_tuple<Tuple>>{};
        }
    }
}
template <class R>
using starred_t = typename decltype(find_starred<R>())::type;

/// Does not compile, and says why, unless F can be called with what the input gives.
template <class Input, class F>
consteval bool require_calls() {
    return Input::template checks<F>();
}

template <class Result>
constexpr void require_result() {
    static_assert(!std::is_void_v<Result>, "procpool: this call collects results, and the function returns none: use for_each()");
}

}  // namespace procpool::algorithm

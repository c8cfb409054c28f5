// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The input of a call over many items: what the items are, what the function gets of them, and whether that works.

#include <procpool/codec/call.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/codec/standard_kind.hpp>
#include <procpool/map/repeat.hpp>
#include <procpool/map/seeded.hpp>
#include <procpool/map/wrapped.hpp>
#include <procpool/map/zip.hpp>
#include <procpool/pool/task_call.hpp>

#include <algorithm>  // and the concepts of ranges
#include <concepts>
#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::map {

/// The type as which an item of a range travels.
template <class Range>
using item_t = codec::wire_type_t<std::ranges::range_reference_t<Range>>;

/// Whether the items can be used where they are, if they are in memory that the workers share.
template <class Range>
inline constexpr bool may_be_shared_v = false;
template <std::ranges::contiguous_range Range>
requires std::ranges::sized_range<Range>
inline constexpr bool may_be_shared_v<Range> = std::is_trivially_copyable_v<std::ranges::range_value_t<Range>> &&
                                               std::is_same_v<item_t<Range>, std::ranges::range_value_t<Range>>;

/// Whether to read an item is to read memory, or to count. Anything else may take its time, or depend on the consumer's
/// use of results.
template <class Range>
inline constexpr bool reads_at_once_v = [] {
    if constexpr (std::ranges::forward_range<Range>) {
        return std::is_lvalue_reference_v<std::ranges::range_reference_t<Range>> ||
               (codec::standard_kind_v<Range> == codec::StandardKind::numbers &&
                std::is_integral_v<std::ranges::range_value_t<Range>>);
    }
    return false;
}();

template <class Range>
[[nodiscard]] std::optional<std::size_t> size_if_known(Range& range) {
    if constexpr (std::ranges::sized_range<Range>) {
        return static_cast<std::size_t>(std::ranges::size(range));
    } else {
        return std::nullopt;
    }
}

template <class Range>
[[nodiscard]] bool is_shared(Range& range, codec::VisibilityOf place_of) {
    if constexpr (may_be_shared_v<Range>) {
        const auto* const begin = std::ranges::data(range);
        const std::size_t size = static_cast<std::size_t>(std::ranges::size(range));
        return size != 0 && place_of(begin) == codec::Visibility::shared &&
               place_of(begin + size - 1) == codec::Visibility::shared;
    } else {
        return false;
    }
}

/// The type as which an item of a range is passed.
template <class Range>
struct argument_of {
    using type = std::ranges::range_reference_t<Range>;
};
template <class Range>
requires is_repeat_v<std::remove_cvref_t<Range>>
struct argument_of<Range> {
    using type = codec::Repeated<std::ranges::range_value_t<Range>>;
};
template <class Range>
using argument_t = typename argument_of<Range>::type;

template <class Range>
using changed_t = std::conditional_t<is_repeat_v<std::remove_cv_t<Range>>, const std::ranges::range_value_t<Range>&,
                                     std::ranges::range_value_t<Range>&>;

/// The callee that gets references to the items: F, or Seeded<F>; void where neither can be called with these only, but
/// not with items.
template <class F, class... Ranges>
consteval auto find_callee_in_place() {
    if constexpr (((std::ranges::contiguous_range<Ranges> || is_repeat_v<std::remove_cv_t<Ranges>>)&&...) &&
                  (std::size_t{0} + ... + std::size_t{!is_repeat_v<std::remove_cv_t<Ranges>>}) == 1) {
        if constexpr (std::is_invocable_v<F&, codec::passed_t<codec::wire_type_t<argument_t<Ranges>>>...>) {
            return std::type_identity<void>{};
        } else if constexpr (std::is_invocable_v<F&, changed_t<Ranges>...>) {
            return std::type_identity<F>{};
        } else if constexpr (!takes_random_v<F&, codec::passed_t<codec::wire_type_t<argument_t<Ranges>>>...> &&
                             takes_random_v<F&, changed_t<Ranges>...>) {
            return std::type_identity<Seeded<F>>{};
        } else {
            return std::type_identity<void>{};
        }
    } else {
        return std::type_identity<void>{};
    }
}
template <class F, class... Ranges>
using callee_in_place_t = typename decltype(find_callee_in_place<F, Ranges...>())::type;

/// f wants a reference to the items of the only range, other than repeat()s, that it may change.
template <class F, class... Ranges>
inline constexpr bool want_in_place_v = !std::is_void_v<callee_in_place_t<F, Ranges...>>;

/// A range of the caller's by reference, and one that is given away by value.
template <class Range>
using held_t = std::conditional_t<std::is_lvalue_reference_v<Range>, RangeRef<std::remove_reference_t<Range>>,
                                  std::remove_cvref_t<Range>>;

/// An Input has, for a function F:
///   Item         the type as which an item travels
///   Called<F>    the callable that a worker calls with an Item; it calls F, or Seeded<F>
///   Result<F>    the type that it returns
///   calls<F>     whether it works
///   require<F>() does not compile, and says why, unless it works
///   call(f)      the callable, made of the user's function
///   Range        of the items, the range() of this input

/// F: the function; Items: what it would be called with. As not_callable, for calls over many items.
template <class Mistake, class F, class... Items>
struct not_callable_with_items {
    static_assert(codec::never<F>,
                  "procpool: this function cannot be called with the items of these ranges as rvalues (views of "
                  "characters arrive as std::string)");
};
template <class F, class... Items>
struct not_callable_with_items<codec::TakesReference, F, Items...> {
    static_assert(codec::never<F>,
                  "procpool: this function takes an item by reference (T&), but it would get a copy, in the worker: "
                  "take it by value or const&, and return "
                  "what comes of it; for_each() changes the elements of one SharedArray, with no other range");
};
template <class Mistake, class F, class... Items>
struct not_callable_with_items<codec::TakesRandom<Mistake>, F, Items...>
    : not_callable_with_items<Mistake, F, Items...> {};
template <class F, class... Items>
struct not_callable_with_items<codec::TakesRandomWrong, F, Items...> {
    static_assert(codec::never<F>,
                  "procpool: a generator (procpool::Random) is given to a function as its last argument, behind the "
                  "items, and by reference: f(item, procpool::Random&)");
};
template <class Mistake, class F, class... Items>
requires std::same_as<Mistake, codec::NotAFunction> || std::same_as<Mistake, codec::WrongBound>
struct not_callable_with_items<Mistake, F, Items...> : codec::not_callable<Mistake, F, Items...> {
};
template <std::size_t Given, std::size_t Wanted, class F, class... Items>
struct not_callable_with_items<codec::TooFew<Given, Wanted>, F, Items...> {
    static_assert(codec::never<F>,
                  "procpool: too few ranges for this function, which gets an item of each: pass one for each "
                  "parameter, procpool::repeat(value) where the value is the same for all items");
};
template <std::size_t Given, std::size_t Wanted, class F, class... Items>
struct not_callable_with_items<codec::TooMany<Given, Wanted>, F, Items...> {
    static_assert(codec::never<F>, "procpool: too many ranges for this function, which gets an item of each");
};
template <std::size_t Position, class Given, class Wanted, class F, class... Items>
struct not_callable_with_items<codec::WrongType<Position, Given, Wanted>, F, Items...> {
    static_assert(codec::never<F>,
                  "procpool: an item of a range does not convert to the type that this function takes there, see "
                  "WrongType<the range's number, given, taken> nearby");
};

// As PROCPOOL_REFUSE_ARGUMENTS.
#define PROCPOOL_REFUSE_ITEMS(number)                                                                        \
    template <std::size_t Given, class F, class... Items>                                                    \
    struct not_callable_with_items<codec::TooFew<Given, number>, F, Items...> {                              \
        static_assert(codec::never<F>, "procpool: too few ranges for this function, which takes " #number    \
                                       " and gets an item of each: pass one for each parameter, "            \
                                       "procpool::repeat(value) where the value is the same for all items; " \
                                       "starmap() takes a range of tuples");                                 \
    };                                                                                                       \
    template <std::size_t Given, class F, class... Items>                                                    \
    struct not_callable_with_items<codec::TooMany<Given, number>, F, Items...> {                             \
        static_assert(codec::never<F>, "procpool: too many ranges for this function, which takes " #number   \
                                       " and gets an item of each");                                         \
    };                                                                                                       \
    template <class Given, class Wanted, class F, class... Items>                                            \
    struct not_callable_with_items<codec::WrongType<number, Given, Wanted>, F, Items...> {                   \
        static_assert(codec::never<F>, "procpool: an item of range " #number                                 \
                                       " does not convert to the type that this function takes there, see "  \
                                       "WrongType<the range's number, given, taken> nearby");                \
    };
PROCPOOL_REFUSE_ITEMS(0)
PROCPOOL_REFUSE_ITEMS(1)
PROCPOOL_REFUSE_ITEMS(2)
PROCPOOL_REFUSE_ITEMS(3)
PROCPOOL_REFUSE_ITEMS(4)
#undef PROCPOOL_REFUSE_ITEMS
template <class F>
struct callable_once {
    static_assert(codec::never<F>,
                  "procpool: this function takes away what it holds, so that it can be called once, but a call over "
                  "many items calls it for each: take "
                  "what is bound by const&");
};

template <class F, class... Args>
inline constexpr bool calls_v = codec::Sendable<F>&& codec::TaskCall<callee_t<F, Args...>, Args...> &&
                                !codec::call_t<callee_t<F, Args...>, Args...>::once;
/// The type that f returns for an item.
template <class F, class... Args>
using item_call_result_t = codec::task_result_t<callee_t<F, Args...>, Args...>;

template <class F, class... Args>
constexpr auto require_item_call() {
    using Callee = callee_t<F, Args...>;
    if constexpr (!std::is_same_v<Callee, F> && !codec::Sendable<F>) {
        codec::require_sendable<F>();
    } else {
        codec::require_call<not_callable_with_items, Callee, Args...>();
        if constexpr (codec::call_t<Callee, Args...>::once) { static_cast<void>(sizeof(callable_once<F>)); }
    }
}

/// One range as it is.
template <class R>
class Single {
public:
    using Range = std::remove_reference_t<R>;
    using Item = item_t<Range>;
    template <class F>
    using Called = callee_t<F, Item>;
    template <class F>
    using Result = item_call_result_t<F, Item>;
    template <class F>
    static constexpr bool calls = calls_v<F, Item>;
    template <class F>
    static constexpr auto require() {
        require_item_call<F, Item>();
    }
    template <class F>
    [[nodiscard]] static Called<F> call(F f) {
        return as_callee<Called<F>>(std::move(f));
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
    using Callee = callee_t<F, std::ranges::range_reference_t<Rs>...>;
    template <class F>
    using Called = ApplyTuple<Callee<F>, std::ranges::range_reference_t<Rs>...>;
    template <class F>
    using Result = item_call_result_t<F, std::ranges::range_reference_t<Rs>...>;
    template <class F>
    static constexpr bool calls = calls_v<F, std::ranges::range_reference_t<Rs>...>;
    template <class F>
    static constexpr auto require() {
        require_item_call<F, std::ranges::range_reference_t<Rs>...>();
    }
    template <class F>
    [[nodiscard]] static Called<F> call(F f) {
        return {as_callee<Callee<F>>(std::move(f))};
    }

    explicit Zipped(Rs... ranges) : range_(held_t<Rs>(std::forward<Rs>(ranges))...) {}
    [[nodiscard]] Range& range() noexcept { return range_; }

private:
    Range range_;
};

/// The input of ranges that are no repeat()s.
template <class Items, class... Rs>
struct items_only;
template <class... Items, class R, class... Rs>
struct items_only<codec::TypeList<Items...>, R, Rs...>
    : std::conditional_t<is_repeat_v<std::remove_cvref_t<R>>, items_only<codec::TypeList<Items...>, Rs...>,
                         items_only<codec::TypeList<Items..., R>, Rs...>> {};
template <class... Items>
struct items_only<codec::TypeList<Items...>> {
    using type = Zipped<Items...>;
};
template <class Item>
struct items_only<codec::TypeList<Item>> {
    using type = Single<Item>;
};

/// Several ranges side by side, some of which are repeat()s: their values travel with the function.
template <class... Rs>
class Repeating {
    using Items = typename items_only<codec::TypeList<>, Rs...>::type;

public:
    using Range = typename Items::Range;
    using Item = typename Items::Item;
    template <class F>
    using Callee = callee_t<F, argument_t<Rs>...>;
    template <class F>
    using Called = WithRepeated<Callee<F>, argument_t<Rs>...>;
    template <class F>
    using Result = item_call_result_t<F, argument_t<Rs>...>;
    template <class F>
    static constexpr bool calls = calls_v<F, argument_t<Rs>...>;
    template <class F>
    static constexpr auto require() {
        require_item_call<F, argument_t<Rs>...>();
    }
    template <class F>
    [[nodiscard]] Called<F> call(F f) const {
        return {as_callee<Callee<F>>(std::move(f)), values_};
    }

    explicit Repeating(Rs... ranges)
        : values_(std::tuple_cat(value_of(ranges)...)),
          items_(std::make_from_tuple<Items>(std::tuple_cat(item_of<Rs>(ranges)...))) {}
    [[nodiscard]] Range& range() noexcept { return items_.range(); }

private:
    template <class R>
    static auto value_of(const R& range) {
        if constexpr (is_repeat_v<R>) {
            return std::tuple(range.value());
        } else {
            return std::tuple<>{};
        }
    }
    template <class R>
    static auto item_of(std::remove_reference_t<R>& range) {
        if constexpr (is_repeat_v<std::remove_cvref_t<R>>) {
            return std::tuple<>{};
        } else {
            return std::forward_as_tuple(std::forward<R>(range));
        }
    }

    decltype(std::tuple_cat(value_of(std::declval<std::remove_reference_t<Rs>&>())...)) values_;
    Items items_;
};

template <class T>
concept TupleLike = requires {
    std::tuple_size<T>::value;
};

/// One range whose items hold the arguments.
template <class R, class Indices>
class StarredInput;
template <class R, std::size_t... At>
class StarredInput<R, std::index_sequence<At...>> {
    using Tuple = std::remove_cvref_t<std::ranges::range_reference_t<R>>;

public:
    using Range = Starred<held_t<R>>;
    using Item = std::tuple<codec::wire_type_t<std::tuple_element_t<At, Tuple>>...>;
    template <class F>
    using Callee = callee_t<F, std::tuple_element_t<At, Tuple>...>;
    template <class F>
    using Called = ApplyTuple<Callee<F>, std::tuple_element_t<At, Tuple>...>;
    template <class F>
    using Result = item_call_result_t<F, std::tuple_element_t<At, Tuple>...>;
    template <class F>
    static constexpr bool calls = calls_v<F, std::tuple_element_t<At, Tuple>...>;
    template <class F>
    static constexpr auto require() {
        require_item_call<F, std::tuple_element_t<At, Tuple>...>();
    }
    template <class F>
    [[nodiscard]] static Called<F> call(F f) {
        return {as_callee<Callee<F>>(std::move(f))};
    }

    explicit StarredInput(R range) : range_(held_t<R>(std::forward<R>(range))) {}
    [[nodiscard]] Range& range() noexcept { return range_; }

private:
    Range range_;
};

/// Says what is wrong.
template <class Message>
struct NoInput {
    template <class F>
    static constexpr bool calls = false;
    template <class F>
    static constexpr auto require() {
        if constexpr (codec::looks_like_range_v<F>) {
            static_cast<void>(sizeof(codec::not_a_function<F>));
        } else {
            static_cast<void>(sizeof(Message));
        }
    }
};

template <class R>
struct not_a_range {
    static_assert(codec::never<R>,
                  "procpool: an argument after the function of a call over many items is no range "
                  "(std::ranges::input_range): for one value with every item write procpool::repeat(value), "
                  "for n numbers std::views::iota(0, n), for two iterators std::ranges::subrange(first, last)");
};
template <class Options>
struct options_after_function {
    static_assert(codec::never<Options>,
                  "procpool: options come first, before the function: map(MapOptions{...}, f, ranges...)");
};
template <class... Rs>
struct only_repeats {
    static_assert(codec::never<Rs...>,
                  "procpool: all ranges of this call are procpool::repeat(), so that it would never end: pass a range "
                  "that ends too, such as "
                  "std::views::iota(0, n)");
};
template <class T>
struct not_a_tuple {
    static_assert(
        !std::is_same_v<T, T>,
        "procpool: starmap() takes a range of tuples, pairs or arrays, whose elements become the arguments: use map()");
};
template <class... Nothing>
struct no_range {
    static_assert(sizeof...(Nothing) != 0, "procpool: a call over many items needs a range of them after its function");
};

/// The first of Rs that is no range; the last if all are.
template <class R, class... Rs>
struct culprit : culprit<Rs...> {};
template <class R, class... Rs>
requires(sizeof...(Rs) == 0 || !std::ranges::input_range<R>) struct culprit<R, Rs...> {
    using type = std::remove_cvref_t<R>;
};

template <class... Rs>
consteval auto find_zipped() {
    if constexpr (sizeof...(Rs) == 0) {
        return std::type_identity<NoInput<no_range<Rs...>>>{};
    } else if constexpr ((is_options_v<Rs> || ...)) {
        return std::type_identity<NoInput<options_after_function<codec::TypeList<std::remove_cvref_t<Rs>...>>>>{};
    } else if constexpr (!(std::ranges::input_range<Rs> && ...)) {
        return std::type_identity<NoInput<not_a_range<typename culprit<Rs...>::type>>>{};
    } else if constexpr ((is_repeat_v<std::remove_cvref_t<Rs>> && ...)) {
        return std::type_identity<NoInput<only_repeats<Rs...>>>{};
    } else if constexpr ((is_repeat_v<std::remove_cvref_t<Rs>> || ...)) {
        return std::type_identity<Repeating<Rs...>>{};
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
        return std::type_identity<NoInput<not_a_range<std::remove_cvref_t<R>>>>{};
    } else {
        using Tuple = std::remove_cvref_t<std::ranges::range_reference_t<R>>;
        if constexpr (TupleLike<Tuple>) {
            return std::type_identity<StarredInput<R, std::make_index_sequence<std::tuple_size_v<Tuple>>>>{};
        } else {
            return std::type_identity<NoInput<not_a_tuple<Tuple>>>{};
        }
    }
}
template <class R>
using starred_t = typename decltype(find_starred<R>())::type;

/// Does not compile, and says why, unless F can be called with what the input gives.
template <class Input, class F>
constexpr auto require_calls() {
    if constexpr (is_options_v<F>) {
        static_cast<void>(sizeof(wrong_options<F>));
    } else {
        Input::template require<F>();
    }
}

template <class Result>
struct returns_nothing {
    static_assert(!std::is_void_v<Result>,
                  "procpool: this call collects results, and the function returns none: use for_each()");
};

template <class Input, class F>
inline constexpr bool gives_results_v = [] {
    if constexpr (Input::template calls<F>) {
        return !std::is_void_v<typename Input::template Result<F>>;
    } else {
        return false;
    }
}();
/// As require_calls(), for calls that collect results.
template <class Input, class F>
constexpr auto require_results() {
    if constexpr (Input::template calls<F> && !gives_results_v<Input, F>) {
        static_cast<void>(sizeof(returns_nothing<typename Input::template Result<F>>));
    } else {
        require_calls<Input, F>();
    }
}

}  // namespace procpool::detail::map

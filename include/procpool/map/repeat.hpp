// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// repeat(): the endless range of one value, for calls over many items whose function gets it with each.

#include <procpool/codec/call.hpp>
#include <procpool/codec/callable.hpp>
#include <procpool/codec/codec.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/codec/refusal.hpp>
#include <procpool/map/kept.hpp>

#include <compare>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

/// An endless std::ranges::random_access_range of one value, made by repeat(). Copies refer to the same value.
template <class T>
class Repeat {
public:
    /// Called by: repeat().
    explicit Repeat(std::shared_ptr<const T> value) noexcept : value_(std::move(value)) {}

    /// A std::random_access_iterator. Lifetime: no longer than the ranges of the value.
    class iterator {
    public:
        /// \{
        /// As std::random_access_iterator says.
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::random_access_iterator_tag;
        iterator() = default;
        explicit iterator(const T* value) noexcept : value_(value) {}
        [[nodiscard]] const T& operator*() const noexcept { return *value_; }
        [[nodiscard]] const T* operator->() const noexcept { return value_; }
        [[nodiscard]] const T& operator[](difference_type) const noexcept { return *value_; }
        iterator& operator++() noexcept { return *this += 1; }
        iterator& operator--() noexcept { return *this -= 1; }
        iterator operator++(int) noexcept { return std::exchange(*this, *this + 1); }
        iterator operator--(int) noexcept { return std::exchange(*this, *this - 1); }
        iterator& operator+=(difference_type n) noexcept {
            at_ += n;
            return *this;
        }
        iterator& operator-=(difference_type n) noexcept {
            at_ -= n;
            return *this;
        }
        [[nodiscard]] friend iterator operator+(iterator it, difference_type n) noexcept { return it += n; }
        [[nodiscard]] friend iterator operator+(difference_type n, iterator it) noexcept { return it += n; }
        [[nodiscard]] friend iterator operator-(iterator it, difference_type n) noexcept { return it -= n; }
        [[nodiscard]] friend difference_type operator-(const iterator& a, const iterator& b) noexcept {
            return a.at_ - b.at_;
        }
        [[nodiscard]] friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.at_ == b.at_; }
        [[nodiscard]] friend auto operator<=>(const iterator& a, const iterator& b) noexcept { return a.at_ <=> b.at_; }
        /// \}

    private:
        const T* value_ = nullptr;
        difference_type at_ = 0;
    };

    /// The first of the equal items.
    [[nodiscard]] iterator begin() const noexcept { return iterator{value_.get()}; }
    /// Never reached.
    [[nodiscard]] static std::unreachable_sentinel_t end() noexcept { return {}; }
    /// The value that is repeated; never null.
    [[nodiscard]] const std::shared_ptr<const T>& value() const noexcept { return value_; }

private:
    std::shared_ptr<const T> value_;
};

namespace detail::map {

template <class T, bool it_travels>
struct repeats_what_is_not_copied {
    static_assert(codec::never<T>,
                  "procpool: repeat() was given a value by name that cannot be copied: std::move() it");
};
/// That has been said.
template <class T>
struct repeats_what_is_not_copied<T, false> {};

}  // namespace detail::map

/// Returns: an endless range of `value`, for zipping with others: map(f, items, repeat(config)) calls f(item, config)
/// for every item. The range holds a copy of the value, of the type that a task would get it as (a literal becomes a
/// std::string). It does not travel with each item: once for each worker, or, where it is small, once a chunk. The
/// function gets it as a const lvalue.
template <class T>
[[nodiscard]] auto repeat(T&& value) {
    using Value = detail::codec::wire_type_t<T>;
    if constexpr (!std::is_same_v<Value, std::remove_cvref_t<T>>) {
        return Repeat<Value>{std::make_shared<const Value>(detail::codec::to_wire(value))};
    } else if constexpr (std::is_constructible_v<Value, T>) {
        return Repeat<Value>{std::make_shared<const Value>(std::forward<T>(value))};
    } else {
        detail::codec::require_travels<Value>();
        static_cast<void>(sizeof(detail::map::repeats_what_is_not_copied<T, Encodable<Value>>));
        return detail::codec::this_call_is_refused{};
    }
}

namespace detail::map {

template <class Range>
inline constexpr bool is_repeat_v = false;
template <class T>
inline constexpr bool is_repeat_v<Repeat<T>> = true;

/// Of a call's arguments: what travels for each item, which is a tuple unless it is one; and what is held for all of
/// them.
template <class Singles, class Held, class... Args>
struct separate;
template <class... Singles, class... Held, class Arg, class... Args>
struct separate<codec::TypeList<Singles...>, codec::TypeList<Held...>, Arg, Args...>
    : separate<codec::TypeList<Singles..., codec::wire_type_t<Arg>>, codec::TypeList<Held...>, Args...> {};
template <class... Singles, class... Held, class T, class... Args>
struct separate<codec::TypeList<Singles...>, codec::TypeList<Held...>, codec::Repeated<T>, Args...>
    : separate<codec::TypeList<Singles...>, codec::TypeList<Held..., T>, Args...> {};
template <class... Singles, class... Held>
struct separate<codec::TypeList<Singles...>, codec::TypeList<Held...>> {
    using Item = std::tuple<Singles...>;
    using Values = std::tuple<std::shared_ptr<const Held>...>;
};
template <class Single, class... Held>
struct separate<codec::TypeList<Single>, codec::TypeList<Held...>> {
    using Item = Single;
    using Values = std::tuple<std::shared_ptr<const Held>...>;
};

/// Called with what travels for an item, calls f(args...), where the values of those that are Repeated<T> are held
/// here. The other Args are types that arguments were passed as.
template <class F, class... Args>
struct WithRepeated {
    using Wrapped = F;
    using Item = typename separate<codec::TypeList<>, codec::TypeList<>, Args...>::Item;
    using Values = typename separate<codec::TypeList<>, codec::TypeList<>, Args...>::Values;
    static constexpr bool has_one_item = (std::size_t{!codec::is_repeated_v<Args>} + ...) == 1;
    F f;
    Values values;

private:
    static constexpr std::index_sequence_for<Args...> every{};
    template <class Callee>
    static constexpr bool changes = std::is_invocable_v<
        Callee, std::conditional_t<codec::is_repeated_v<Args>, codec::passed_t<codec::wire_type_t<Args>>, Item&>...>;

public:
    codec::task_result_t<F, Args...> operator()(Item&& item) requires(codec::call_t<F, Args...>::form !=
                                                                          codec::CallForm::impossible &&
                                                                      !codec::takes_stop_token_v<F, Args...>) {
        return call(f, item, {}, every);
    }
    codec::task_result_t<F, Args...> operator()(std::stop_token stop,
                                                Item&& item) requires codec::takes_stop_token_v<F, Args...> {
        return call(f, item, stop, every);
    }
    codec::task_result_t<F, Args...> operator()(Item&& item) const
        requires(may_be_large_v<WithRepeated>&& codec::calls_const_v<F, Args...> &&
                 !codec::takes_stop_token_v<F, Args...>) {
        return call(f, item, {}, every);
    }
    codec::task_result_t<F, Args...> operator()(std::stop_token stop, Item&& item) const requires(
        may_be_large_v<WithRepeated>&& codec::calls_const_v<F, Args...>&& codec::takes_stop_token_v<F, Args...>) {
        return call(f, item, stop, every);
    }
    /// f may change the item.
    decltype(auto) operator()(Item& item) requires(has_one_item&& changes<F&>) { return change(f, item, every); }
    decltype(auto) operator()(Item& item) const
        requires(may_be_large_v<WithRepeated>&& has_one_item&& changes<const F&>) {
        return change(f, item, every);
    }

private:
    template <std::size_t At>
    static consteval std::size_t held_before() {
        constexpr bool held[]{codec::is_repeated_v<Args>...};
        std::size_t count = 0;
        for (std::size_t i = 0; i < At; ++i) { count += held[i]; }
        return count;
    }
    template <std::size_t At>
    [[nodiscard]] const auto& held() const noexcept {
        return *std::get<held_before<At>()>(values);
    }

    template <std::size_t At>
    [[nodiscard]] auto argument(Item& item) const {
        using Argument = std::tuple_element_t<At, codec::arguments_t<F, Args...>>;
        if constexpr (codec::is_repeated_v<std::tuple_element_t<At, std::tuple<Args...>>>) {
            return Argument{&held<At>()};
        } else if constexpr (has_one_item) {
            return Argument(std::move(item));
        } else {
            return Argument(std::get<At - held_before<At>()>(std::move(item)));
        }
    }
    template <class Callee, std::size_t... At>
    codec::task_result_t<F, Args...> call(Callee& callee, Item& item, const std::stop_token& stop,
                                          std::index_sequence<At...>) const {
        codec::arguments_t<F, Args...> arguments{argument<At>(item)...};
        return static_cast<codec::task_result_t<F, Args...>>(
            codec::invoke_call<Callee, Args...>(callee, arguments, stop));  // which may point into these
    }

    template <std::size_t At>
    [[nodiscard]] auto& changeable(Item& item) const noexcept {
        if constexpr (codec::is_repeated_v<std::tuple_element_t<At, std::tuple<Args...>>>) {
            return held<At>();
        } else {
            return item;
        }
    }
    template <class Callee, std::size_t... At>
    decltype(auto) change(Callee& callee, Item& item, std::index_sequence<At...>) const {
        return std::invoke(callee, changeable<At>(item)...);
    }
};

}  // namespace detail::map

namespace detail::codec {

template <class Arg>
inline constexpr std::size_t most_repeated_bytes_v = 0;
template <class T>
inline constexpr std::size_t most_repeated_bytes_v<Repeated<T>> = most_bytes_v<T>;
template <class F, class... Args>
inline constexpr std::size_t most_bytes_v<map::WithRepeated<F, Args...>> = add_sizes({most_bytes_v<F>,
                                                                                      most_repeated_bytes_v<Args>...});

}  // namespace detail::codec

template <class F, class... Args>
struct Codec<detail::map::WithRepeated<F, Args...>> {
    using Called = detail::map::WithRepeated<F, Args...>;
    using parts = detail::codec::TypeList<>;

    static void encode(Writer& out, const Called& called) {
        detail::codec::encode_callable<F>(out, called.f);
        std::apply([&](const auto&... values) { (encode_value(out, values), ...); }, called.values);
    }
    static Called decode(Reader& in) {
        return {detail::codec::decode_callable<F>(in),
                decode_values(in, std::type_identity<typename Called::Values>{})};
    }

private:
    template <class T>
    static void encode_value(Writer& out, const std::shared_ptr<const T>& value) {
        Codec<T>::encode(out, *value);
    }
    template <class... T>
    static std::tuple<std::shared_ptr<const T>...> decode_values(
        Reader& in, std::type_identity<std::tuple<std::shared_ptr<const T>...>>) {
        return {std::make_shared<const T>(Codec<T>::decode(in))...};
    }
};

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// bind_front(): a function object that carries values of any encodable type to where it is called.

#include <procpool/codec/call.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/codec/overload_set.hpp>
#include <procpool/codec/text.hpp>

#include <cstddef>
#include <functional>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::codec {

/// A bound value that is passed as a Value, for functions that want a const C* where it is a string.
template <class Value>
[[nodiscard]] constexpr decltype(auto) as_text(std::remove_reference_t<Value>& value) noexcept {
    if constexpr (is_string_v<std::remove_cvref_t<Value>>) {
        return value.c_str();
    } else {
        return static_cast<Value&&>(value);
    }
}
template <class Value>
using as_text_t = decltype(as_text<Value>(std::declval<std::remove_reference_t<Value>&>()));

/// The call f(values..., args...), or f(stop, values..., args...) for the arguments (stop, args...).
template <class F, class... Values>
struct BoundCall {
    template <class... Args>
    static consteval bool takes() {
        return std::is_invocable_v<F, Values..., Args...>;
    }
    static consteval bool takes_first(TypeList<>) { return false; }
    template <class Stop, class... Args>
    static consteval bool takes_first(TypeList<Stop, Args...>) {
        return std::is_same_v<std::remove_cvref_t<Stop>, std::stop_token> &&
               std::is_invocable_v<F, Stop, Values..., Args...>;
    }
    template <class... Args>
    static constexpr bool is_possible = takes<Args...>() || takes_first(TypeList<Args...>{});

    template <class... Args>
    static constexpr decltype(auto) call(F f, Values... values, Args&&... args) {
        if constexpr (takes<Args...>()) {
            return std::invoke(std::forward<F>(f), std::forward<Values>(values)..., std::forward<Args>(args)...);
        } else {
            return [&](auto&& stop, auto&&... rest) -> decltype(auto) {
                return std::invoke(std::forward<F>(f), std::forward<decltype(stop)>(stop),
                                   std::forward<Values>(values)..., std::forward<decltype(rest)>(rest)...);
            }(std::forward<Args>(args)...);
        }
    }
};

/// Calls f(values..., args...). It travels as f and the values do. The function gets the values as const lvalues, so
/// that each call finds them as they were bound; a function that takes them away, as by a std::unique_ptr or T&&, can
/// be called once.
template <class F, class... Values>
struct BoundFront {
    using Wrapped = F;
    F f;
    std::tuple<Values...> values;

    template <class... Args>
    requires(BoundCall<F&, const Values&...>::template is_possible<Args...> ||
             BoundCall<F&, as_text_t<const Values&>...>::template is_possible<Args...>) constexpr decltype(auto)
    operator()(Args&&... args) & {
        return call<F&, const Values&...>(f, values, std::forward<Args>(args)...);
    }
    template <class... Args>
    requires(BoundCall<const F&, const Values&...>::template is_possible<Args...> ||
             BoundCall<const F&, as_text_t<const Values&>...>::template is_possible<Args...>) constexpr decltype(auto)
    operator()(Args&&... args) const& {
        return call<const F&, const Values&...>(f, values, std::forward<Args>(args)...);
    }
    template <class... Args>
    requires BoundCall<F&&, Values&&...>::template is_possible<Args...> constexpr decltype(auto) operator()(
        Args&&... args) && {
        return call<F&&, Values&&...>(f, values, std::forward<Args>(args)...);
    }

private:
    template <class Callee, class... Passed, class Tuple, class... Args>
    static constexpr decltype(auto) call(std::remove_reference_t<Callee>& f, Tuple& values, Args&&... args) {
        return std::apply(
            [&](auto&... each) -> decltype(auto) {
                if constexpr (BoundCall<Callee, Passed...>::template is_possible<Args...>) {
                    return BoundCall<Callee, Passed...>::template call<Args...>(
                        static_cast<Callee>(f), static_cast<Passed>(each)..., std::forward<Args>(args)...);
                } else {
                    return BoundCall<Callee, as_text_t<Passed>...>::template call<Args...>(
                        static_cast<Callee>(f), as_text<Passed>(each)..., std::forward<Args>(args)...);
                }
            },
            values);
    }
};

template <class F, class... Values>
struct BuiltInCodec<BoundFront<F, Values...>, StandardKind::other> {
    using parts = TypeList<Values...>;

    static void encode(Writer& out, const BoundFront<F, Values...>& bound) {
        encode_callable<F>(out, bound.f);
        std::apply([&](const auto&... values) { (Codec<Values>::encode(out, values), ...); }, bound.values);
    }
    static BoundFront<F, Values...> decode(Reader& in) {
        return {decode_callable<F>(in), std::tuple<Values...>{Codec<Values>::decode(in)...}};
    }
};

template <class F, class... Values>
inline constexpr std::size_t most_bytes_v<BoundFront<F, Values...>> = add_sizes({most_bytes_v<F>,
                                                                                 most_bytes_v<Values>...});

template <class F, class... Values, class... Passed>
struct mistake<BoundFront<F, Values...>, Passed...>
    : after_bound<mistake_t<F, const Values&..., Passed...>, sizeof...(Values)> {};

template <class Argument>
struct not_copied {
    static_assert(never<Argument>,
                  "procpool: bind_front() was given a value by name that cannot be copied: std::move() it");
};
template <class Argument>
struct not_owned {
    static_assert(never<Argument>,
                  "procpool: bind_front() was given memory to share that ends with this expression: give it a name");
};

/// Whether the argument would arrive as a view of memory that ends with the argument.
template <class Argument>
inline constexpr bool is_lost_v =
    is_span_v<wire_type_t<Argument>> && !std::is_same_v<wire_type_t<Argument>, std::remove_cvref_t<Argument>> &&
    !std::is_lvalue_reference_v<Argument>;

template <class Argument>
inline constexpr bool can_be_bound_v = Encodable<wire_type_t<Argument>> && !is_lost_v<Argument> &&
                                       (!std::is_same_v<wire_type_t<Argument>, std::remove_cvref_t<Argument>> ||
                                        std::is_constructible_v<wire_type_t<Argument>, Argument>);

/// Does not compile, and says why, unless the argument can be bound.
template <class Argument>
constexpr auto require_bound() {
    if constexpr (is_lost_v<Argument>) {
        static_cast<void>(sizeof(not_owned<Argument>));
    } else if constexpr (Encodable<wire_type_t<Argument>> && !can_be_bound_v<Argument>) {
        static_cast<void>(sizeof(not_copied<Argument>));
    } else {
        require_travels<wire_type_t<Argument>>();
    }
}

/// Returns: the argument as it is bound.
template <class Argument>
[[nodiscard]] decltype(auto) bind_value(std::remove_reference_t<Argument>& argument) {
    if constexpr (std::is_same_v<wire_type_t<Argument>, std::remove_cvref_t<Argument>>) {
        return static_cast<Argument&&>(argument);
    } else {
        return wire_type_t<Argument>(to_wire(argument));
    }
}

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

/// Returns: a function object that calls f(values..., args...) for any args. The values may be of any encodable type,
/// where a closure may only capture trivially copyable ones; they arrive as arguments do: literals and
/// std::string_views as std::string, a SharedArray as a span of it. Rvalues are moved. Throws: any exception of copying
/// or moving the values; CodecError for a null pointer to characters. A call over many items sends it once, and each
/// worker decodes it once, where it is large and the function takes the values by const&.
template <class F, class... Values>
[[nodiscard]] auto bind_front(F&& f, Values&&... values) {
    using Function = std::decay_t<F>;
    detail::codec::require_sendable<Function>();
    (detail::codec::require_bound<Values&&>(), ...);
    if constexpr (detail::codec::Sendable<Function> && (detail::codec::can_be_bound_v<Values&&> && ...)) {
        return detail::codec::BoundFront<Function, detail::codec::wire_type_t<Values>...>{
            std::forward<F>(f),
            std::tuple<detail::codec::wire_type_t<Values>...>{detail::codec::bind_value<Values&&>(values)...}};
    } else {
        return detail::codec::this_call_is_refused{};
    }
}

PROCPOOL_REFUSE_OVERLOAD_SET(bind_front)

}  // namespace procpool

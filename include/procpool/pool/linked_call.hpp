// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// A call some of whose arguments are results of other tasks: its type, its code, and how it becomes a task.

#include <procpool/client/dependency.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/codec/fields.hpp>
#include <procpool/core/config.hpp>
#include <procpool/future/future.hpp>
#include <procpool/future/shared_future.hpp>
#include <procpool/future/when_all.hpp>
#include <procpool/pool/task_call.hpp>
#include <procpool/worker/task_frame.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace procpool::inline v0::detail::pool {

/// An argument that is passed as Arg, as the function gets it: a list of one type, or of none for a future of void.
template <class Arg, class Decayed = std::remove_cvref_t<Arg>>
struct Passed {
    static constexpr bool is_future = false;
    using Types = codec::TypeList<Arg>;
};
template <class Arg, class T>
struct Passed<Arg, Future<T>> {
    static constexpr bool is_future = true;
    using Result = T;
    using Types = codec::TypeList<T>;
};
template <class Arg>
struct Passed<Arg, Future<void>> {
    static constexpr bool is_future = true;
    using Result = void;
    using Types = codec::TypeList<>;
};
template <class Arg, class T>
struct Passed<Arg, SharedFuture<T>> : Passed<Arg, Future<T>> {};

template <class... Args>
inline constexpr bool passes_futures_v = (Passed<Args>::is_future || ...);

template <class... Lists>
struct Joined;
template <class... Types>
struct Joined<codec::TypeList<Types...>> {
    using type = codec::TypeList<Types...>;
};
template <class... First, class... Second, class... Rest>
struct Joined<codec::TypeList<First...>, codec::TypeList<Second...>, Rest...>
    : Joined<codec::TypeList<First..., Second...>, Rest...> {};

template <class F, class List>
struct CallOf;
template <class F, class... Types>
struct CallOf<F, codec::TypeList<Types...>> {
    using Call = codec::call_t<F, Types...>;
    using Result = codec::task_result_t<F, Types...>;
    static constexpr bool is_task = codec::TaskCall<F, Types...>;
    static constexpr auto require() { return require_task<F, Types...>(); }
    static decltype(auto) invoke(std::decay_t<F>& f, typename Call::Arguments& arguments, const std::stop_token& stop) {
        return codec::invoke_call<std::decay_t<F>, Types...>(f, arguments, stop);
    }
    static constexpr bool takes_stop_token = codec::takes_stop_token_v<F, Types...>;

    /// Of a task whose arguments are the results themselves.
    static constexpr TaskCode code = call_code<F, Types...>;
    template <class E, class... Values>
    static void encode(Writer& out, const F& f, const Values&... values) {
        codec::encode_function_for<E>(out, f);
        (Codec<codec::wire_type_t<Values>>::encode(out, codec::to_wire(values)), ...);
    }
};

/// The call of f(args...) with results in the place of futures.
template <class F, class... Args>
using linked_call_t = CallOf<F, typename Joined<codec::TypeList<>, typename Passed<Args>::Types...>::type>;

/// As codec::is_plain_call_v, where the results of other tasks are no part of the bytes.
template <class F, class... Args>
inline constexpr bool is_plain_linked_v = codec::is_plain_call_v<F> &&
                                          ((Passed<Args>::is_future || codec::is_plain_argument_v<Args>)&&...);

/// The type of what f(args...) gives, where some arguments may be futures.
template <class F, class... Args>
struct ResultOfCall {
    using type = codec::task_result_t<F, Args...>;
};
template <class F, class... Args>
requires passes_futures_v<Args...>
struct ResultOfCall<F, Args...> {
    using type = typename linked_call_t<F, Args...>::Result;
};
template <class F, class... Args>
using result_of_call_t = typename ResultOfCall<F, Args...>::type;

// ---- in the worker

/// A dependency has ended without a value: what the task ends in is in its frame already.
struct NoValue {};

/// Where a result is that is an argument; or how many there are in its place.
struct Arrived {
    std::span<const std::byte> bytes;
    codec::VisibilityOf where;
    std::optional<std::uint64_t> parts = {};
};
/// Takes what Client::submit_linked() has written for one. Throws: NoValue.
[[nodiscard]] Arrived arrive(Reader& in, TaskFrame& frame);
[[noreturn]] void refuse_arrived();

template <class T>
struct Arrival {
    static T decode(Reader& in, TaskFrame& frame) {
        const Arrived arrived = arrive(in, frame);
        if (arrived.parts) { refuse_arrived(); }
        Reader value{arrived.bytes, arrived.where};
        return Codec<T>::decode(value);
    }
};
template <>
struct Arrival<void> {
    static std::monostate decode(Reader& in, TaskFrame& frame) {
        const Arrived arrived = arrive(in, frame);
        for (std::uint64_t left = arrived.parts.value_or(0); left != 0; --left) { decode(in, frame); }
        return {};
    }
};
template <class... T>
struct Arrival<std::tuple<T...>> {
    static std::tuple<T...> decode(Reader& in, TaskFrame& frame) {
        const Arrived arrived = arrive(in, frame);
        if (!arrived.parts) {
            Reader value{arrived.bytes, arrived.where};
            return Codec<std::tuple<T...>>::decode(value);
        }
        if (*arrived.parts != sizeof...(T)) { refuse_arrived(); }
        return std::tuple<T...>{Arrival<T>::decode(in, frame)...};
    }
};
template <>
struct Arrival<std::monostate> {
    static std::monostate decode(Reader& in, TaskFrame& frame) { return Arrival<void>::decode(in, frame); }
};
template <class T, class Allocator>
struct Arrival<std::vector<T, Allocator>> {
    static std::vector<T, Allocator> decode(Reader& in, TaskFrame& frame) {
        const Arrived arrived = arrive(in, frame);
        if (!arrived.parts) {
            Reader value{arrived.bytes, arrived.where};
            return Codec<std::vector<T, Allocator>>::decode(value);
        }
        std::vector<T, Allocator> all;
        all.reserve(*arrived.parts);
        for (std::uint64_t left = *arrived.parts; left != 0; --left) { all.push_back(Arrival<T>::decode(in, frame)); }
        return all;
    }
};

/// Returns: a tuple of the argument as the function gets it; an empty one for a future of void.
template <class Call, class Arg>
auto decode_argument(Reader& in, [[maybe_unused]] TaskFrame& frame) {
    if constexpr (!Passed<Arg>::is_future) {
        using Type = std::conditional_t<Call::as_strings, codec::wire_type_t<Arg>, codec::wire_type_as_pointer_t<Arg>>;
        return std::tuple<Type>{Codec<Type>::decode(in)};
    } else if constexpr (std::is_void_v<typename Passed<Arg>::Result>) {
        static_cast<void>(Arrival<void>::decode(in, frame));
        return std::tuple<>{};
    } else {
        return std::tuple<typename Passed<Arg>::Result>{Arrival<typename Passed<Arg>::Result>::decode(in, frame)};
    }
}

/// The code of a task that has waited for others.
template <class F, class... Args>
void linked_code(TaskFrame& frame) try {
    using Linked = linked_call_t<F, Args...>;
    using Call = typename Linked::Call;
    Reader in{frame.arguments};
    auto f = codec::decode_callable<std::decay_t<F>>(in);
    // Braces: from left to right.
    std::tuple<decltype(decode_argument<Call, Args>(in, frame))...> decoded{decode_argument<Call, Args>(in, frame)...};
    typename Call::Arguments arguments =
        std::apply([](auto&... each) { return std::tuple_cat(std::move(each)...); }, decoded);
    const std::stop_token stop = Linked::takes_stop_token ? frame.host.stop_token() : std::stop_token{};
    if constexpr (std::is_void_v<typename Linked::Result>) {
        Linked::invoke(f, arguments, stop);
    } else {
        const auto& result = Linked::invoke(f, arguments, stop);
        codec::encode_result<typename Linked::Result>(frame.result, result);
    }
} catch (const NoValue&) {}

/// Returns: the arguments of a task that was claimed to run where the results are not that they name: with these in
/// their place. Throws: std::bad_alloc.
[[nodiscard]] std::vector<std::byte> with_results(const task::Board& board, std::uint32_t slot);

// ---- in the parent

/// Effects: writes where the results are of which the future consists.
void write_future(Writer& out, FutureBase& future, client::WriteDependency write, std::size_t& next);

/// The future that an argument is.
template <class T>
[[nodiscard]] FutureBase& future_of_argument(Future<T>& argument) {
    return argument;
}
template <class T>
[[nodiscard]] FutureBase& future_of_argument(const SharedFuture<T>& argument) {
    return argument.future();
}

/// Calls look(future, is_shared) for those among the arguments.
template <class Look, class... Args>
void each_future(Look look, Args&... args) {
    const auto look_at = [&]<class Arg>(Arg& arg) {
        if constexpr (Passed<Arg>::is_future) {
            look(future_of_argument(arg), !std::is_base_of_v<FutureBase, std::remove_cv_t<Arg>>);
        }
    };
    (look_at(args), ...);
}

template <class Arg>
struct future_passed_twice {
    static_assert(codec::never<Arg>,
                  "procpool: the result of a Future goes to one task: pass it by std::move(), or share() it first");
};
template <class... Args>
constexpr void require_futures_moved() {
    const auto require = []<class Arg>(std::type_identity<Arg>) {
        using Decayed = std::remove_cvref_t<Arg>;
        if constexpr (Passed<Arg>::is_future && std::is_base_of_v<FutureBase, Decayed> &&
                      std::is_lvalue_reference_v<Arg>) {
            static_cast<void>(sizeof(future_passed_twice<Arg>));
        }
    };
    (require(std::type_identity<Args>{}), ...);
}

}  // namespace procpool::detail::pool

#if PROCPOOL_BODIES
#include <procpool/pool/linked_call.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// A call as a task: its code, and whether it can be one.

#include <procpool/codec/call.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/codec/refusal.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/pool/pool_fwd.hpp>
#include <procpool/worker/task_frame.hpp>

#include <concepts>
#include <cstddef>
#include <stop_token>
#include <type_traits>

namespace procpool::inline v0 {

template <class T>
class Future;
template <class T>
class SharedFuture;

template <class E>
struct detail::codec::why_refused<ProcessPool<E>> {
    template <class Type>
    struct check {
        static_assert(detail::codec::never<Type>, "procpool: a pool cannot travel: a task may build one of its own");
    };
};
template <class T>
struct detail::codec::why_refused<Future<T>> {
    template <class Type>
    struct check {
        static_assert(
            detail::codec::never<Type>,
            "procpool: a Future is moved into apply(), apply_async() or try_apply_async(); elsewhere it cannot "
            "travel: pass what it gives, get(), or share() it");
    };
};
template <class T>
struct detail::codec::why_refused<SharedFuture<T>> : detail::codec::why_refused<Future<T>> {};

namespace detail::codec {

template <class T>
inline constexpr bool is_future_v = false;
template <class T>
inline constexpr bool is_future_v<Future<T>> = true;
template <class T>
inline constexpr bool is_future_v<SharedFuture<T>> = true;

/// Many of them.
template <class T>
concept HoldsFutures = std::is_class_v<T> && looks_like_range_v<T> && is_future_v<typename T::value_type>;
template <HoldsFutures T>
struct why_refused<T> {
    template <class Type>
    struct check {
        static_assert(never<Type>,
                      "procpool: futures within a value are not waited for: give when_all(futures) to apply(), "
                      "apply_async() or try_apply_async(), and the function gets the std::vector of their results; "
                      "elsewhere pass what they give, get()");
    };
};

}  // namespace detail::codec

namespace detail {

/// The code of a task: decodes a call, makes it, encodes what it returns.
template <class F, class... Args>
void call_code(TaskFrame& frame) {
    Reader in{frame.arguments};
    codec::run_call<F, Args...>(in, frame.result,
                                codec::takes_stop_token_v<F, Args...> ? frame.host.stop_token() : std::stop_token{});
}

template <class T>
inline constexpr bool is_options_v =
    std::same_as<std::remove_cvref_t<T>, TaskOptions> || std::same_as<std::remove_cvref_t<T>, MapOptions> ||
    std::same_as<std::remove_cvref_t<T>, PoolOptions>;

template <class Given>
struct wrong_options {
    static_assert(codec::never<Given>,
                  "procpool: these options are of the wrong kind: apply(), apply_async(), try_apply_async() and "
                  "apply_on() take TaskOptions, calls over many "
                  "items MapOptions, the constructor PoolOptions, and broadcast() none");
};
template <class F>
struct options_not_first {
    static_assert(codec::never<F>,
                  "procpool: options come first, before the function: apply(TaskOptions{...}, f, args...), "
                  "map(MapOptions{...}, f, ranges...)");
};

/// A type that is neither the index of a worker nor the options before it.
template <class F>
concept NoWorker = !std::convertible_to<F, std::size_t> && !std::same_as<F, TaskOptions>;
template <class F>
struct worker_not_first {
    static_assert(codec::never<F>,
                  "procpool: apply_on() and apply_on_async() take the worker's index before the function: "
                  "apply_on(0, f, args...)");
};

/// Does not compile, and says why, unless f(args...) can be a task. F: what was given as the function.
template <class F, class... Args>
constexpr auto require_task() {
    if constexpr (is_options_v<F>) {
        static_cast<void>(sizeof(wrong_options<F>));
    } else if constexpr (!codec::TaskCall<F, Args...> && (is_options_v<Args> || ...)) {
        static_cast<void>(sizeof(options_not_first<F>));
    } else {
        codec::require_task_call<F, Args...>();
    }
}

}  // namespace detail

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Overloads that answer calls with other arguments than they take, where these are of a fixed number.

#include <procpool/codec/mistake.hpp>
#include <procpool/codec/overload_set.hpp>
#include <procpool/pool/options.hpp>

#include <algorithm>  // and the concepts of ranges
#include <concepts>
#include <type_traits>

namespace procpool::inline v0::detail::pool {

/// Given to the constructor of a pool; MistakenOptions as braces.
template <class T>
concept NotPoolOptions =
    std::same_as<T, TaskOptions> || std::same_as<T, MapOptions> || std::same_as<T, codec::MistakenOptions>;
template <NotPoolOptions Options>
struct not_pool_options {
    static_assert(
        codec::never<Options>,
        "procpool: a pool is built with PoolOptions, as in ProcessPool pool{{.workers = 4}}: workers, "
        "initializer, finalizer, max_tasks_per_worker, start_timeout, queue_capacity, terminate_grace, name, mpi, "
        "trace, latencies, backtraces, grow_to, idle_timeout, min_workers, max_rss, kill_rss, memory_reserve, pin, "
        "threads_per_worker, in this order; a time has a unit, as in .start_timeout = 5s");
};

struct a_pool_is_built_with_a_number_or_with_PoolOptions__as_in_ProcessPool_pool_PoolOptions_workers_4 {};

/// Whether these are the arguments of map_reduce(), map_reduce_by_key(), starmap(), starmap_async() and map_into(),
/// after its options.
template <class... Given>
inline constexpr bool are_for_map_reduce_v = sizeof...(Given) == 4;
template <class... Given>
inline constexpr bool are_for_map_reduce_by_key_v = sizeof...(Given) == 3;
template <class... Given>
inline constexpr bool are_for_starmap_v = sizeof...(Given) == 2;
template <class... Given>
inline constexpr bool are_for_map_into_v = false;
template <class F, std::ranges::input_range Range, std::ranges::contiguous_range Output>
inline constexpr bool are_for_map_into_v<F, Range, Output> = true;

/// Overloads of a pool's calls, for all arguments that these do not take.
class RefusesIncompleteCalls {
public:
    // clang-format off
#define PROCPOOL_REFUSE_INCOMPLETE(call, are_for_call, text)                                                                                \
    template <class First, class... Given>                                                                                                  \
    requires(!(std::same_as<std::remove_cvref_t<First>, MapOptions> ? are_for_call<Given...> : are_for_call<First, Given...>))              \
    auto call(First&&, Given&&...) {                                                                                                        \
        static_assert(codec::never<First>, text);                                                                                           \
        return codec::this_call_is_refused{};                                                                                               \
    }
    PROCPOOL_REFUSE_INCOMPLETE(map_reduce, are_for_map_reduce_v,
        "procpool: map_reduce() takes two functions, the value to begin with and one range, after its MapOptions if there are any: map_reduce(f, reduce, init, items)")
    PROCPOOL_REFUSE_INCOMPLETE(map_reduce_by_key, are_for_map_reduce_by_key_v,
        "procpool: map_reduce_by_key() takes two functions and one range, after its MapOptions if there are any: map_reduce_by_key(f, reduce, items)")
    PROCPOOL_REFUSE_INCOMPLETE(starmap, are_for_starmap_v,
        "procpool: starmap() takes a function and one range of tuples, after its MapOptions if there are any: starmap(f, tuples); several ranges are for map()")
    PROCPOOL_REFUSE_INCOMPLETE(starmap_async, are_for_starmap_v,
        "procpool: starmap_async() takes a function and one range of tuples, after its MapOptions if there are any: starmap_async(f, tuples); several ranges are for map_async()")
    PROCPOOL_REFUSE_INCOMPLETE(map_into, are_for_map_into_v,
        "procpool: map_into() takes a function, one range and a contiguous range of the same size for the results, such as a std::vector, after its MapOptions if there are any: map_into(f, items, results)")
#undef PROCPOOL_REFUSE_INCOMPLETE
    // clang-format on
};

}  // namespace procpool::detail::pool

// A constructor, with `...` as PROCPOOL_REFUSE_UNTYPED.
#if defined(__clang__)
#define PROCPOOL_REFUSE_CONSTRUCTION(Class)                                                              \
    template <class Nothing = void>                                                                      \
    __attribute__((                                                                                      \
        unavailable("procpool: a pool is built with a number or with PoolOptions: ProcessPool pool{4}, " \
                    "ProcessPool pool{PoolOptions{.workers = 4}}"))) explicit Class(...);
#else
#define PROCPOOL_REFUSE_CONSTRUCTION(Class)                                                                        \
    template <class Mistake = ::procpool::detail::pool::                                                           \
                  a_pool_is_built_with_a_number_or_with_PoolOptions__as_in_ProcessPool_pool_PoolOptions_workers_4> \
    explicit Class(...) = delete;
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Overloads that answer a call given what has no type: an overload set, a function template, or braces.

#include <procpool/codec/mistake.hpp>

namespace procpool::inline v0::detail::codec {

/// The value of an option, of any type.
struct AnyValue {
    AnyValue() noexcept;
    template <class T>
    AnyValue(T&&) noexcept;
};

/// The options of pools and of all calls, with values of any type, and names that other libraries have for them:
/// braces become this if they are no options of the call.
struct MistakenOptions {
    AnyValue workers = {}, initializer = {}, finalizer = {}, max_tasks_per_worker = {}, start_timeout = {},
             queue_capacity = {}, terminate_grace = {}, name = {}, trace = {}, latencies = {}, backtraces = {},
             mpi = {}, grow_to = {}, idle_timeout = {}, min_workers = {}, max_rss = {}, kill_rss = {},
             memory_reserve = {}, pin = {}, threads_per_worker = {};
    AnyValue chunk_size = {}, window = {}, on_error = {}, timeout = {}, retries = {}, priority = {}, label = {},
             progress = {}, total_timeout = {}, stop_after_failures = {}, journal = {}, journal_version = {},
             journal_keep = {}, retry_failed = {}, hedge = {}, seed = {};
    AnyValue processes = {}, max_workers = {}, threads = {}, initargs = {}, maxtasksperchild = {}, chunksize = {};
};

// The overload with `...` is chosen where no other can be, since it takes anything. Each compiler then says something
// before it looks at the arguments: Clang what the function asserts, GCC that it is deleted, with its signature.
struct this_name_stands_for_several_functions_or_is_a_template__or_these_braces_have_no_type_or_a_misspelt_option {};
struct write_a_lambda_that_calls_it_or_static_cast_it__and_before_braces_their_type_as_in_TaskOptions_or_std_vector {};

// clang-format off
#if defined(__clang__)
#define PROCPOOL_REFUSE_UNTYPED(call)                                                                                                                               \
    template <class Nothing = void>                                                                                                                                 \
    auto call(...) {                                                                                                                                                \
        static_assert(::procpool::detail::codec::never<Nothing>,                                                                                                    \
                      "procpool: this call needs one function: an overload set or a function template was given, or braces without a type or with a misspelt option: write a "                \
                      "lambda that calls it, [](auto&&... args) { return f(args...); }, or say which one it is, static_cast<int (*)(int)>(f) or f<int>; "           \
                      "before braces write their type, TaskOptions{.timeout = 5s} or std::vector{1, 2}");                                                           \
        return ::procpool::detail::codec::this_call_is_refused{};                                                                                                   \
    }
#else
#define PROCPOOL_REFUSE_UNTYPED(call)                                                                                                                               \
    template <class Mistake = ::procpool::detail::codec::this_name_stands_for_several_functions_or_is_a_template__or_these_braces_have_no_type_or_a_misspelt_option,                     \
              class Remedy = ::procpool::detail::codec::write_a_lambda_that_calls_it_or_static_cast_it__and_before_braces_their_type_as_in_TaskOptions_or_std_vector> \
    void call(...) = delete;
#endif
#define PROCPOOL_REFUSE_OVERLOAD_SET(call)                                                                                                                          \
    template <class Nothing = void, class... Args>                                                                                                                  \
    auto call(const ::procpool::detail::codec::MistakenOptions&, const ::procpool::detail::codec::AnyValue&, Args&&...) {                                           \
        static_assert(::procpool::detail::codec::never<Nothing>,                                                                                                    \
                      "procpool: these braces are no options of this call: a task has timeout, retries, priority, label (TaskOptions); calls over many "            \
                      "items have chunk_size, window, on_error before these, and progress, total_timeout, stop_after_failures, journal, journal_version, journal_keep, retry_failed, hedge, seed after them (MapOptions); workers and the " \
                      "rest are the pool's (PoolOptions); a time has a unit, as in {.timeout = 5s}");                                                               \
        return ::procpool::detail::codec::this_call_is_refused{};                                                                                                   \
    }                                                                                                                                                               \
    PROCPOOL_REFUSE_UNTYPED(call)
// clang-format on

/// The overloads of a pool's calls.
class RefusesOverloadSets {
public:
    PROCPOOL_REFUSE_OVERLOAD_SET(apply)
    PROCPOOL_REFUSE_OVERLOAD_SET(apply_async)
    PROCPOOL_REFUSE_OVERLOAD_SET(try_apply_async)
    PROCPOOL_REFUSE_OVERLOAD_SET(apply_on)
    PROCPOOL_REFUSE_OVERLOAD_SET(apply_on_async)
    PROCPOOL_REFUSE_OVERLOAD_SET(map)
    PROCPOOL_REFUSE_OVERLOAD_SET(starmap)
    PROCPOOL_REFUSE_OVERLOAD_SET(map_async)
    PROCPOOL_REFUSE_OVERLOAD_SET(starmap_async)
    PROCPOOL_REFUSE_OVERLOAD_SET(map_outcomes)
    PROCPOOL_REFUSE_OVERLOAD_SET(for_each)
    PROCPOOL_REFUSE_OVERLOAD_SET(for_each_async)
    PROCPOOL_REFUSE_OVERLOAD_SET(map_into)
    PROCPOOL_REFUSE_OVERLOAD_SET(imap)
    PROCPOOL_REFUSE_OVERLOAD_SET(imap_unordered)
    PROCPOOL_REFUSE_OVERLOAD_SET(imap_outcomes)
    PROCPOOL_REFUSE_OVERLOAD_SET(map_reduce)
    PROCPOOL_REFUSE_OVERLOAD_SET(map_reduce_by_key)
    PROCPOOL_REFUSE_OVERLOAD_SET(broadcast)
};

}  // namespace procpool::detail::codec

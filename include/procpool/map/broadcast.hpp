// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's broadcast().

#include <procpool/codec/call.hpp>
#include <procpool/future/future.hpp>
#include <procpool/future/task_handle.hpp>
#include <procpool/pool/process_pool.hpp>

#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::map {

/// Returns: the results of tasks that have ended, in their order. Throws: the error of the first that ended with one.
template <class Result>
auto get_all(std::vector<TaskHandle> tasks) {
    if constexpr (std::is_void_v<Result>) {
        for (TaskHandle& task : tasks) { Future<Result>{std::move(task)}.get(); }
    } else {
        std::vector<Result> results;
        results.reserve(tasks.size());
        for (TaskHandle& task : tasks) { results.push_back(Future<Result>{std::move(task)}.get()); }
        return results;
    }
}

struct BroadcastCall {};

}  // namespace detail::map

template <class E>
template <class F, class... Args>
auto ProcessPool<E>::broadcast(F f, Args&&... args) {
    detail::require_task<F, Args...>();
    if constexpr (detail::codec::TaskCall<F, Args...>) {
        return detail::map::get_all<detail::codec::task_result_t<F, Args...>>(
            run_in_each_worker(traits_of_call<F>(f, detail::call_code<F, Args...>), [&](Writer& out) {
                detail::codec::encode_call_for<E, F, std::remove_reference_t<Args>...>(out, f, args...);
            }));
    } else {
        return detail::codec::this_call_is_refused{};
    }
}

}  // namespace procpool

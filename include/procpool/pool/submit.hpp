// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// this_worker::submit(): a task submits others to its own pool.

#include <procpool/client/submission.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/codec/overload_set.hpp>
#include <procpool/core/config.hpp>
#include <procpool/future/future.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/pool/task_call.hpp>
#include <procpool/worker/task_frame.hpp>
#include <procpool/worker/with_state.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace procpool::inline v0 {

namespace detail::pool {

/// A task without its payload.
struct CallHere {
    TaskCode code;
    bool plain;               ///< see client::Submission
    std::uintptr_t function;  ///< where it is one, its address; 0: none
};
/// Effects: submits a task to the pool whose task the caller is. options: null for the defaults. Throws: see
/// this_worker::submit().
[[nodiscard]] TaskHandle submit_here(const CallHere& call, const TaskOptions* options, client::Encode encode);
/// Whether the workers of the caller's pool are certain to lack what is at `address`. Only where they have memory of
/// their own.
[[nodiscard]] bool is_newer_than_workers_here(const void* address);

/// Throws: std::logic_error when the caller's worker has no such state.
void require_state_here(const std::type_info& wanted);

template <class F, class... Args>
TaskHandle submit_call_here(const TaskOptions* options, const F& f, const std::remove_reference_t<Args>&... args) {
    detail::require_task<F, Args...>();
    if constexpr (codec::TaskCall<F, Args...>) {
        if constexpr (codec::is_snapshot_v<F>) { codec::check_snapshot(f, is_newer_than_workers_here); }
        worker::each_state_wanted<F>(require_state_here);
        std::uintptr_t function = 0;
        if constexpr (std::is_function_v<std::remove_pointer_t<F>>) { function = reinterpret_cast<std::uintptr_t>(f); }
        return submit_here(
            {detail::call_code<F, Args...>, codec::is_plain_call_v<F, Args...>, function}, options,
            [&](Writer& out) { codec::encode_call<F, std::remove_reference_t<Args>...>(out, f, args...); });
    } else {
        return {};
    }
}

}  // namespace detail::pool

namespace this_worker {

/// \{
/// Lets the caller's own pool run f(args...) on any of its workers; for tasks only. While the caller waits for the
/// future, by get(), wait() or wait_for(), its worker runs that task itself if it has not started, and other tasks that
/// were submitted like this: so tasks that wait for tasks never wait for a free worker, and wait_for() may take longer.
/// A task that runs so within another one shares its process and thread: if it crashes or is killed, as for its
/// timeout, the one that waits is lost too; and a task that waits with a lock held may run one that waits for that
/// lock. Where as many of them run as there is room for, f(args...) runs at once in the caller, as a part of its task.
/// A pool that is closed still takes them. If the caller's worker dies, those that have not started are cancelled.
/// Priorities have no effect in worker processes, and the future has no then(), on_done() and co_await there. Returns:
/// the future of f's result; dropping it detaches the task. Throws: std::logic_error outside of a task; otherwise as
/// ProcessPool::apply_async().
template <class F, class... Args>
requires(!std::same_as<F, TaskOptions>) auto submit(F f, Args&&... args)
    -> Future<detail::codec::task_result_t<F, Args...>> {
    return Future<detail::codec::task_result_t<F, Args...>>{
        detail::pool::submit_call_here<F, Args...>(nullptr, f, args...)};
}
template <class F, class... Args>
auto submit(const TaskOptions& options, F f, Args&&... args) -> Future<detail::codec::task_result_t<F, Args...>> {
    return Future<detail::codec::task_result_t<F, Args...>>{
        detail::pool::submit_call_here<F, Args...>(&options, f, args...)};
}
/// \}

}  // namespace this_worker

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/pool/submit.ipp>
#endif

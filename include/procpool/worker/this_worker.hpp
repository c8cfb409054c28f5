// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// this_worker, this_task, in_worker(): what a task may ask about where it runs.

#include <procpool/task/thread_context.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <stop_token>

namespace procpool::inline v0 {

namespace detail::worker {

[[nodiscard]] inline const task::ThreadContext& context_or_throw() {
    if (!task::thread_context.in_worker) { throw std::logic_error("procpool: not in a worker"); }
    return task::thread_context;
}

}  // namespace detail::worker

/// Whether the caller is a task, an initializer or a finalizer.
[[nodiscard]] inline bool in_worker() noexcept { return detail::task::thread_context.in_worker; }

namespace this_worker {

/// From 0 to the pool's size() - 1; a replacement has the index of the worker it replaces. Throws: std::logic_error
/// outside workers.
[[nodiscard]] inline std::size_t index() { return detail::worker::context_or_throw().index; }
/// Throws: std::logic_error outside workers.
[[nodiscard]] inline std::int32_t pid() { return detail::worker::context_or_throw().pid; }

}  // namespace this_worker

namespace this_task {

/// Never used again for another task of the pool. 0 in an initializer or finalizer. Throws: std::logic_error outside
/// workers.
[[nodiscard]] inline std::uint64_t id() {
    const detail::task::TaskContext* const host = detail::worker::context_or_throw().task;
    return host == nullptr ? 0 : host->id();
}

/// 0 the first time; a task that runs again after its worker died, or after it timed out, counts up. Throws:
/// std::logic_error outside workers.
[[nodiscard]] inline unsigned attempt() { return detail::worker::context_or_throw().attempt; }
/// Says when somebody has asked this task to stop. Throws: std::logic_error outside tasks; std::system_error when no
/// thread can be had.
[[nodiscard]] inline std::stop_token stop_token() {
    detail::task::TaskContext* const host = detail::worker::context_or_throw().task;
    if (host == nullptr) { throw std::logic_error("procpool: not in a task"); }
    return host->stop_token();
}

}  // namespace this_task

}  // namespace procpool

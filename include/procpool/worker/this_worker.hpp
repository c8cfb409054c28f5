// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// this_worker, this_task, in_worker(): where and as what the calling code runs.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <stop_token>

namespace procpool::inline v0 {

/// Whether the caller is a task, an initializer or a finalizer.
[[nodiscard]] bool in_worker() noexcept;

namespace this_worker {

/// From 0 to the pool's size() - 1; a replacement has the index of the worker it replaces. Throws: std::logic_error
/// outside workers.
[[nodiscard]] std::size_t index();
/// Throws: std::logic_error outside workers.
[[nodiscard]] std::int32_t pid();

}  // namespace this_worker

namespace this_task {

/// Returns: the task's number, never used again for another task of the pool; 0 in an initializer or finalizer. Throws:
/// std::logic_error outside workers.
[[nodiscard]] std::uint64_t id();
/// Returns: how often this task ran before: 0 the first time, one more after each worker that died or time limit that
/// passed. Throws: std::logic_error outside workers.
[[nodiscard]] unsigned attempt();
/// Returns: a token that becomes stopped when a stop of this task is requested. Throws: std::logic_error outside tasks;
/// std::system_error when no thread can be had.
[[nodiscard]] std::stop_token stop_token();

}  // namespace this_task

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/worker/this_worker.ipp>
#endif

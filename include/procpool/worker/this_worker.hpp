// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// this_worker, this_task, in_worker(): what a task may ask about where it runs.

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

/// Never used again for another task of the pool. 0 in an initializer or finalizer. Throws: std::logic_error outside
/// workers.
[[nodiscard]] std::uint64_t id();
/// 0 the first time; a task that runs again after its worker died, or after it timed out, counts up. Throws:
/// std::logic_error outside workers.
[[nodiscard]] unsigned attempt();
/// Says when somebody has asked this task to stop. Throws: std::logic_error outside tasks; std::system_error when no
/// thread can be had.
[[nodiscard]] std::stop_token stop_token();

}  // namespace this_task

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/worker/this_worker.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// this_worker, this_task, in_worker(): what a task may ask about where it runs.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string_view>

namespace procpool::inline v0 {

/// Whether the caller is a task, an initializer or a finalizer.
[[nodiscard]] bool in_worker() noexcept;

/// About the worker that the caller is.
namespace this_worker {

/// The index of the caller's worker, from 0 to the pool's size() - 1; a replacement has the index of the worker it
/// replaces. Throws: std::logic_error outside workers.
[[nodiscard]] std::size_t index();
/// The process number of the caller's worker. Throws: std::logic_error outside workers.
[[nodiscard]] std::int32_t pid();
/// The name of the machine that the caller runs on. Called by: any process.
[[nodiscard]] std::string_view host();
/// The rank of that machine in the MPI job of an MpiPool; 0 elsewhere. Called by: any process.
[[nodiscard]] int node() noexcept;

}  // namespace this_worker

/// About the task that the caller is.
namespace this_task {

/// The number of the caller's task, which no other task of the pool ever has. 0 in an initializer or finalizer. Throws:
/// std::logic_error outside workers.
[[nodiscard]] std::uint64_t id();
/// The number of earlier runs of the caller's task, which its worker's death or a timeout ended: 0 the first time.
/// Throws: std::logic_error outside workers.
[[nodiscard]] unsigned attempt();
/// Tells when a stop of the caller's task is requested, as by Future::cancel(). Throws: std::logic_error outside tasks;
/// std::system_error when no thread can be had.
[[nodiscard]] std::stop_token stop_token();

}  // namespace this_task

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/worker/this_worker.ipp>
#endif

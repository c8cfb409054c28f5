// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The life of a worker process, from the fork to its end.

#include <procpool/core/config.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/modules.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/loop.hpp>
#include <procpool/worker/setup.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace procpool::inline v0::detail::worker {

/// The process this worker is; a task that forks and returns in its child finds itself to be another one.
inline constinit os::Token worker_token = 0;

/// The loop of this process, while it is a worker that runs tasks; inherited by its children.
inline constinit Loop* loop_of_worker = nullptr;

/// Returns: the loop that runs the task that the caller is in; null elsewhere, and in tasks that run in their pool's
/// process.
[[nodiscard]] inline Loop* loop_at_work() noexcept {
    const bool is_worker = loop_of_worker != nullptr && os::is_process(worker_token);
    return is_worker && loop_of_worker->is_at_work() ? loop_of_worker : nullptr;
}

/// The code that the parent had when it forked this process; null in the program itself.
inline constinit const os::Modules* parents_code = nullptr;

/// Whether results go on to another machine, where the code lies elsewhere.
inline constinit bool is_parent_far = false;

/// The meaning of an address for other processes that run this program, also on other machines.
[[nodiscard]] codec::Visibility place_elsewhere(const void* address);

/// The meaning of a result's address for the parent, which has neither the shared memory that this worker allocates
/// after the fork nor the code that it loads.
[[nodiscard]] codec::Visibility place_for_parent(const void* address);

/// Ends the process unless it is the worker: a child that a task has forked comes back as if it were. For bodies only
/// (.ipp): a worker asks after each task.
inline void leave_if_impostor();

/// Ends the worker when a task calls exit(): functions that the task gave to atexit() have run by now, those that the
/// parent gave must not.
void leave_on_exit(int status, bool quick) noexcept;

void name_process(const std::string& name, std::uint32_t index) noexcept;

/// Blocks until a retiring worker gives its index to this one, or the pool is closed or reforked.
void wait_for_index(task::Board& board, std::uint32_t seat_number);

/// Effects: gives this worker's index to the spare worker, if there is one now. Returns: whether there was.
bool give_index_to_spare(task::Board& board, const task::Seat& retiring) noexcept;

/// Effects: gives this worker's index to another one before this one ends. One worker at a time waits for that as long
/// as a worker may take to start; those that come meanwhile leave at once and are replaced when they have ended, so
/// that several are replaced at a time.
void replace_by_spare(task::Board& board, std::uint32_t seat_number, std::chrono::milliseconds longest) noexcept;

inline constinit task::Seat* crashing_seat = nullptr;

/// Makes this process record a crash on the seat. Its own children inherit the handler, and the seat, but do
/// not write there. Requires: worker_token and task::thread_context are this process's.
void record_crashes(task::Seat& seat) noexcept;

/// Effects: runs as worker `index` on `seat` until the pool ends, and never returns.
/// Called by: supervisor, in the child it has just forked, with all signals blocked and no handlers; see
/// Supervisor::run() for what it has prepared. Everything here that runs before user code is boring on purpose: no
/// lock, no static with a constructor, nothing a thread of the parent may have held when it forked.
[[noreturn]] void run_process(task::Board& board, const Setup& setup, std::uint32_t seat_number, std::uint32_t index,
                              pid_t supervisor);

}  // namespace procpool::detail::worker

#if PROCPOOL_BODIES
#include <procpool/worker/process.ipp>
#endif

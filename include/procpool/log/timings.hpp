// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// TaskTiming: when and where a task ran, read from the trace.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/ending.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace procpool::inline v0 {

/// How a run of a task ended.
using TaskEnd = Ending;

/// One run of a task, or of a chunk of a map. Its times are by the clock of this machine; those of another one of an
/// MpiPool are converted, to half of a round trip.
struct TaskTiming {
    std::string label;  ///< of the task, cut to 47 bytes
    /// When it was submitted, or the last of the tasks that it depends on ended after that; not after `started`.
    detail::Clock::time_point queued;
    detail::Clock::time_point started;   ///< when a worker began to run it, not after `finished`
    detail::Clock::time_point finished;  ///< when it ended
    /// Time on a processor, of the thread that ran it; nothing when that is unknown, as after a death.
    std::optional<std::chrono::nanoseconds> cpu_time;
    std::size_t worker = 0;          ///< index of the worker; LogRecord::no_worker where it was lost with its machine
    std::int32_t pid = 0;            ///< of the worker, on its machine
    int node = 0;                    ///< rank of the machine in the job of an MpiPool
    std::string host;                ///< its name; empty outside MPI
    unsigned attempt = 0;            ///< counts from 0
    std::size_t items = 0;           ///< of a chunk, those that were finished; 0: a single task
    TaskEnd ended = TaskEnd::value;  ///< how the run ended
    std::uint64_t task = 0;          ///< number of the task: see this_task::id()
    /// The numbers of the tasks of this pool that it depends on, in the order of its arguments, each once.
    std::vector<std::uint64_t> dependencies = {};
};

namespace detail::log {

/// Returns: the runs that are in the trace of that pool, in the order in which they ended.
[[nodiscard]] std::vector<TaskTiming> timings_of(std::uint32_t pool);

}  // namespace detail::log

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/log/timings.ipp>
#endif

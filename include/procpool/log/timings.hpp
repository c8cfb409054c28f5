// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// TaskTiming: when and where a task ran, from the trace.

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

using TaskEnd = Ending;

/// One run of a task, or of a chunk of a map. It was queued before it was started, and started before it was finished.
struct TaskTiming {
    std::string label;  ///< its first 47 bytes
    detail::Clock::time_point queued;
    detail::Clock::time_point started;
    detail::Clock::time_point finished;
    /// Of the thread that ran it; nothing when that is not known, as after a death.
    std::optional<std::chrono::nanoseconds> cpu_time;
    std::size_t worker = 0;  ///< index
    std::int32_t pid = 0;
    unsigned attempt = 0;   ///< from 0
    std::size_t items = 0;  ///< of a chunk, that were finished; 0: a single task
    TaskEnd ended = TaskEnd::value;
};

namespace detail::log {

/// Returns: the runs that are in the trace of that pool, in the order in which they ended.
[[nodiscard]] std::vector<TaskTiming> timings_of(std::uint32_t pool);

}  // namespace detail::log

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/log/timings.ipp>
#endif

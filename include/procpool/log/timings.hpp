// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// TaskTiming: when and where a task ran, from the trace.

#include <procpool/core/deadline.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/log/chronicle.hpp>

#include <algorithm>
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
    Clock::time_point queued;
    Clock::time_point started;
    Clock::time_point finished;
    std::optional<std::chrono::nanoseconds>
        cpu_time;            ///< of the thread that ran it; nothing when that is not known, as after a death
    std::size_t worker = 0;  ///< index
    std::int32_t pid = 0;
    unsigned attempt = 0;   ///< from 0
    std::size_t items = 0;  ///< of a chunk, that were finished; 0: a single task
    TaskEnd ended = TaskEnd::value;
};

namespace detail::log {

/// Returns: the runs that are in the trace of that pool, in the order in which they ended.
[[nodiscard]] inline std::vector<TaskTiming> timings_of(std::uint32_t pool) {
    std::vector<TaskTiming> all;
    const log::Chronicle* const chronicle = log::Chronicle::current();
    if (pool == 0 || chronicle == nullptr) { return all; }
    const auto time = [](std::int64_t nanoseconds) { return Clock::time_point{std::chrono::nanoseconds{nanoseconds}}; };
    chronicle->trace.for_each([&](const log::TraceRecord& record) {
        if (record.pool != pool || record.kind != log::TraceKind::task) { return; }
        all.push_back({.label = std::string(record.text.view()),
                       .queued = time(std::min(record.queued, record.begin)),
                       .started = time(record.begin),
                       .finished = time(record.end),
                       .cpu_time = record.cpu < 0 ? std::nullopt : std::optional{std::chrono::nanoseconds{record.cpu}},
                       .worker = record.worker,
                       .pid = record.pid,
                       .attempt = record.attempt,
                       .items = record.items,
                       .ended = record.ended});
    });
    return all;
}

}  // namespace detail::log

}  // namespace procpool

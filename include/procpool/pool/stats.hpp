// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// PoolStats, WorkerInfo: snapshots of a pool, taken word by word while it goes on.

#include <procpool/core/config.hpp>

#include <fmt/core.h>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace procpool::inline v0 {

/// One worker of a pool, as it was at some moment.
struct WorkerInfo {
    std::size_t index = 0;       ///< from 0 to the pool's size() - 1; a replacement has that of its predecessor
    std::int32_t pid = 0;        ///< of the worker's process; this process where workers are threads
    std::size_t tasks_done = 0;  ///< by this process; a replacement starts at 0
    bool busy = false;           ///< it is running a task
};

/// Times of tasks: 50, 95 and 99 of a hundred tasks took at most so long. Each is within a factor of two, since tasks
/// are counted by powers of two of their time. All are 0 as long as `count` is.
struct Percentiles {
    std::uint64_t count = 0;          ///< tasks that were measured, or that a measured one stands for
    std::chrono::nanoseconds p50{0};  ///< the median
    std::chrono::nanoseconds p95{0};  ///< not below p50
    std::chrono::nanoseconds p99{0};  ///< not below p95
};

/// Counts of a pool's tasks and workers since it was built. A map counts as the tasks it was cut into; where an item of
/// it is retried, the rest of its task is submitted anew.
struct PoolStats {
    std::uint64_t submitted = 0;  ///< tasks that the pool accepted
    /// Tasks that returned a value. May go down by one, when a worker is killed just after its task has returned.
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;     ///< tasks that threw or lost their worker; may go down as `completed`
    std::uint64_t cancelled = 0;  ///< tasks that ended in TaskCancelled
    std::uint64_t timed_out = 0;  ///< tasks that ended in TaskTimedOut
    std::uint64_t retried = 0;    ///< runs beyond a task's first
    /// Errors that nobody took: of tasks, continuations and calls whose future was dropped before get(), and had no
    /// on_done(). Neither TaskCancelled nor the end of the whole pool. The log's sink is told each, as a warning.
    std::uint64_t unobserved = 0;
    std::uint64_t workers_started = 0;   ///< replacements included
    std::uint64_t workers_died = 0;      ///< unasked; those that kill(), timeouts, limits and hedges end, too
    std::uint64_t workers_recycled = 0;  ///< workers that left as planned and were replaced
    /// Time from the submission of a task to its start, where PoolOptions::latencies is set; of its last start, where
    /// it was run again. An item of a call over many counts as a task, and waits until its chunk starts. The first
    /// thousand tasks and chunks are all measured, later ones at random, each for several.
    Percentiles waiting{};
    /// Time for which a worker ran a task that returned or threw, likewise; an item's is the mean of its chunk.
    Percentiles running{};
    std::uint64_t memory_exceeded = 0;  ///< tasks that ended in MemoryLimitExceeded; in no other count
};

/// Returns: "12 submitted, 11 completed, ...; workers: 2 started, ..."; and where times were measured, "...; waiting:
/// 50 % up to 1.5 us, 95 % up to 12 us, 99 % up to 1.2 ms; running: ..."; and where there were any, "...; 2 over the
/// memory limit"
[[nodiscard]] std::string to_string(const PoolStats& stats);

namespace detail::pool {

/// counts: of durations from 2^i up to 2^(i+1) ticks, at place i; any numbers, since workers write them.
[[nodiscard]] Percentiles percentiles_of(const std::array<std::uint64_t, 64>& counts, double nanoseconds_per_tick);

}  // namespace detail::pool

}  // namespace procpool

template <>
struct fmt::formatter<procpool::PoolStats> {
    static constexpr auto parse(fmt::format_parse_context& context) -> decltype(context.begin()) {
        return context.begin();
    }

    template <class Context>
    auto format(const procpool::PoolStats& stats, Context& context) const -> decltype(context.out()) {
        auto out = context.out();
        for (const char letter : procpool::to_string(stats)) { *out++ = letter; }
        return out;
    }
};

#if PROCPOOL_BODIES
#include <procpool/pool/stats.ipp>
#endif

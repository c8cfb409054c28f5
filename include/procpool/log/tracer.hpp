// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Tracer: the records that workers and the supervisor add to the trace.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/log/trace.hpp>
#include <procpool/os/cpu_time.hpp>
#include <procpool/task/board.hpp>

#include <cstdint>
#include <string_view>

namespace procpool::inline v0::detail::log {

[[nodiscard]] inline std::int64_t trace_time() noexcept { return Clock::now().time_since_epoch().count(); }

/// Adds that something has happened to a worker. Called by: any process.
void trace_event(const task::Board& board, TraceKind kind, std::uint32_t worker, std::int32_t pid,
                 std::string_view text = {}) noexcept;

/// Adds that a task depends on another one; their numbers. Called by: parent, before it publishes the dependant, so
/// that this record comes before those of its runs.
void trace_edge(const task::Board& board, std::uint64_t dependant, std::uint64_t dependency) noexcept;

/// The end of a run, as far as it is known.
struct RunEnd {
    std::uint64_t task;  ///< its number
    std::uint32_t worker;
    std::int32_t pid;
    std::uint64_t items;
    std::int64_t cpu;  ///< see TraceRecord
    Ending ending;
    std::uint16_t node = 0;  ///< rank of the machine
};

/// Adds the name of one of the pool's machines.
void trace_host(const task::Board& board, std::uint16_t node, std::string_view host) noexcept;

/// Adds a run of the task in this slot, which began when its label says and ends now. Requires: it is traced, and the
/// caller runs or settles it.
void trace_run(task::Board& board, std::uint32_t slot, const RunEnd& end) noexcept;

/// One run of a task by this thread.
class TracedRun {
public:
    TracedRun(task::Board& board, std::uint32_t slot) noexcept
        : board_(board),
          slot_(slot),
          cpu_(os::thread_cpu_time()) {
        board.label(slot).started.store(trace_time(), std::memory_order_relaxed);
    }
    void end(std::uint64_t task, std::uint32_t worker, std::int32_t pid, std::uint64_t items, Ending ending) noexcept {
        trace_run(board_, slot_, {task, worker, pid, items, os::thread_cpu_time() - cpu_, ending});
    }

private:
    task::Board& board_;
    std::uint32_t slot_;
    std::int64_t cpu_;
};

}  // namespace procpool::detail::log

#if PROCPOOL_BODIES
#include <procpool/log/tracer.ipp>
#endif

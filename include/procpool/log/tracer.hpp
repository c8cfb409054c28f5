// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// What workers and supervisor add to the trace.

#include <procpool/core/deadline.hpp>
#include <procpool/log/chronicle.hpp>
#include <procpool/os/cpu_time.hpp>
#include <procpool/task/board.hpp>

#include <cstdint>
#include <string_view>

namespace procpool::inline v0::detail::log {

[[nodiscard]] inline std::int64_t trace_time() noexcept { return Clock::now().time_since_epoch().count(); }

/// Empty when it has none. Requires: the caller runs or settles the task in this slot.
[[nodiscard]] inline std::string_view label_of(const task::Board& board, std::uint32_t slot) noexcept {
    return board.all_slots()[slot].is_labelled() ? task::text_within(board.tag(slot).label) : std::string_view{};
}

/// Effects: something has happened to a worker. Called by: any process.
inline void trace_event(const task::Board& board, log::TraceKind kind, std::uint32_t worker, std::int32_t pid,
                        std::string_view text = {}) noexcept {
    log::Chronicle* const chronicle = log::Chronicle::current();
    if (board.control.number == 0 || chronicle == nullptr) { return; }
    log::TraceRecord record{.begin = trace_time(),
                            .end = 0,
                            .queued = 0,
                            .cpu = -1,
                            .task = 0,
                            .pid = pid,
                            .pool = board.control.number,
                            .worker = worker,
                            .items = 0,
                            .attempt = 0,
                            .kind = kind,
                            .ended = {},
                            .text = {}};
    record.text.assign(text);
    chronicle->trace.add(record);
}

/// Effects: the trace has a run of the task in this slot, which began when its tag says and ends now. Requires: it is
/// traced, and the caller runs or settles it.
inline void trace_task(task::Board& board, std::uint32_t slot, log::TraceRecord record) noexcept {
    task::Tag& tag = board.tag(slot);
    log::Chronicle* const chronicle = log::Chronicle::current();
    // Whoever sets it back adds the run; a worker may be killed right afterwards, and its supervisor must not add it
    // again.
    record.begin = tag.started.exchange(0, std::memory_order_relaxed);
    if (record.begin == 0 || chronicle == nullptr) { return; }
    record.end = trace_time();
    record.queued = tag.queued;
    record.pool = board.control.number;
    record.kind = log::TraceKind::task;
    record.attempt = board.all_slots()[slot].is_special() ? board.all_slots()[slot].attempt : std::uint16_t{0};
    record.text.assign(label_of(board, slot));
    chronicle->trace.add(record);
}

/// One run of a task by this thread.
class TracedRun {
public:
    TracedRun(task::Board& board, std::uint32_t slot) noexcept
        : board_(board),
          slot_(slot),
          cpu_(os::thread_cpu_time()) {
        board.tag(slot).started.store(trace_time(), std::memory_order_relaxed);
    }
    void end(std::uint64_t task, std::uint32_t worker, std::int32_t pid, std::uint64_t items, Ending ended) noexcept {
        trace_task(board_, slot_,
                   {.begin = 0,
                    .end = 0,
                    .queued = 0,
                    .cpu = os::thread_cpu_time() - cpu_,
                    .task = task,
                    .pid = pid,
                    .pool = 0,
                    .worker = worker,
                    .items = static_cast<std::uint32_t>(items),
                    .attempt = 0,
                    .kind = {},
                    .ended = ended,
                    .text = {}});
    }

private:
    task::Board& board_;
    std::uint32_t slot_;
    std::int64_t cpu_;
};

}  // namespace procpool::detail::log

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// What log and trace are told of the lives of workers.

#include <procpool/core/exit_status.hpp>
#include <procpool/log/log.hpp>
#include <procpool/log/log_record.hpp>
#include <procpool/log/tracer.hpp>
#include <procpool/os/children.hpp>
#include <procpool/task/board.hpp>

#include <cstdint>
#include <cstring>
#include <string>

namespace procpool::inline v0::detail::log {

// Called by: supervisor.

[[nodiscard]] inline LogSubject subject_of(const task::Board& board, std::uint32_t index, std::int32_t pid) noexcept {
    return {index, pid, 0, {}, board.control.name.data()};
}

inline void tell_start(const task::Board& board, std::uint32_t index, std::int32_t pid) noexcept {
    trace_event(board, log::TraceKind::started, index, pid);
    report(LogLevel::debug, subject_of(board, index, pid), "worker {}, process {}, was started", index, pid);
}

inline void tell_refusal(const task::Board& board, std::uint32_t index, int error) noexcept {
    report(LogLevel::warning, subject_of(board, index, 0), "worker {} cannot be replaced for now: fork: {}", index,
           std::strerror(error));
}

/// state: of the seat when its worker died. alone: nobody asked for it, and no task was lost, whose end would tell it.
inline void tell_end(const task::Board& board, const task::Seat& seat, task::SeatState state, bool alone,
                     const os::EndedChild& ended) {
    const std::uint32_t index = seat.index.load(std::memory_order_relaxed);
    const bool recycled =
        state == task::SeatState::leaving && board.control.life.load(std::memory_order_relaxed) == task::Life::open;
    if (board.control.number != 0) {
        trace_event(board, recycled ? log::TraceKind::recycled : log::TraceKind::died, index, ended.pid,
                    to_string(ended.status));
    }
    if (recycled) {
        report(LogLevel::info, subject_of(board, index, ended.pid),
               "worker {}, process {}, was recycled after {} items", index, ended.pid,
               seat.items_done.load(std::memory_order_relaxed));
    } else if (alone && state != task::SeatState::failed &&
               is_logged(LogLevel::warning)) {  // a failed initializer breaks the pool, which is told
        report(LogLevel::warning, subject_of(board, index, ended.pid), "worker {}, process {}, {} {}", index, ended.pid,
               to_string(ended.status),
               state == task::SeatState::starting ? "before it was ready" : "while it had no task");
    } else if (!alone && state == task::SeatState::leaving) {
        report(LogLevel::debug, subject_of(board, index, ended.pid), "worker {}, process {}, has left", index,
               ended.pid);
    }
}

}  // namespace procpool::detail::log

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// BoardParts: makes a PoolView from parts of a board, the board's own or copies of them.

#include <procpool/core/config.hpp>
#include <procpool/task/board_head.hpp>
#include <procpool/view/pool_view.hpp>

#include <atomic>
#include <cstdint>
#include <span>

namespace procpool::inline v0::detail::task {
class Board;
}

namespace procpool::inline v0::detail::view {

/// Nothing is believed of what is there: workers write some of it, and a copy is not of one moment.
struct BoardParts {
    const task::BoardHead* head;
    const task::Control* control;
    const task::FromWorkers* from_workers;
    std::span<const task::Seat> seats;
    std::span<const std::atomic<std::int32_t>> sitters;
    std::span<const task::Latencies> latencies;  ///< may be empty
};

/// Returns: the view but for its queue, the tasks that run, and what /proc says of workers.
[[nodiscard]] PoolView view_of(const BoardParts& parts);

/// Effects: adds what the tasks in these slots do. issues: of the slots, or none where they are guests'.
void add_to_queue(QueueView& queue, std::span<const task::Slot> group, std::span<const task::Issue> issues);

/// Effects: adds what /proc says of the workers; not of one that is no child of `supervisor`, for a task has written
/// there, or the number is that of another namespace. 0: it is not asked for.
void add_use(PoolView& view, std::int32_t supervisor);

/// Returns: the whole view, but for the tasks that run. Called by: the process that the board belongs to.
[[nodiscard]] PoolView view_of(const task::Board& board);

}  // namespace procpool::detail::view

#if PROCPOOL_BODIES
#include <procpool/view/board_parts.ipp>
#endif

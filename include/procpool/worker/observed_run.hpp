// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ObservedRun: one run of a task that is traced or labelled, or whose times are measured.

#include <procpool/core/ending.hpp>
#include <procpool/log/tracer.hpp>
#include <procpool/os/ticks.hpp>
#include <procpool/task/board.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace procpool::inline v0::detail::worker {

/// Called by: the worker, before and after the run.
class ObservedRun {
public:
    [[gnu::noinline]] ObservedRun(task::Board& board, std::uint32_t seat, std::uint32_t slot) noexcept
        : board_(board),
          seat_(seat),
          slot_(board.all_slots()[slot]) {
        if (slot_.is_traced()) {
            traced_.emplace(board, slot);
        } else if (slot_.is_labelled()) {  // for those that look at what runs
            board.label(slot).started.store(log::trace_time(), std::memory_order_relaxed);
        }
        started_ = os::ticks();
    }
    /// number: of the task. worker: its index. items: that were finished; 0: a task of one call.
    [[gnu::noinline]] void end(std::uint64_t number, std::uint32_t worker, std::uint64_t items,
                               Ending ending) noexcept {
        if (slot_.is_measured()) {
            board_.latencies(seat_).add(slot_.submitted, started_, os::ticks(), std::max<std::uint64_t>(items, 1),
                                        slot_.stands_for);
        }
        if (traced_) {
            traced_->end(number, worker, board_.seats()[seat_].pid.load(std::memory_order_relaxed), items, ending);
        }
    }

private:
    task::Board& board_;
    std::uint32_t seat_;
    const task::Slot& slot_;
    std::optional<log::TracedRun> traced_;
    std::uint64_t started_;
};

}  // namespace procpool::detail::worker

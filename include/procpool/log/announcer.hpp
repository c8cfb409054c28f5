// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Announcer: tells log and trace what happens to the workers of a pool and to the tasks that they die over.

#include <procpool/core/config.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/log/report.hpp>
#include <procpool/os/children.hpp>
#include <procpool/task/board.hpp>

#include <cstdint>

namespace procpool::inline v0::detail::log {

/// Called by: supervisor.
class Announcer {
public:
    explicit Announcer(task::Board& board) noexcept : board_(board) {}

    void started(std::uint32_t index, std::int32_t pid) const noexcept;
    /// fork() has failed for a replacement.
    void refused(std::uint32_t index, int error) const noexcept;
    /// state: of the seat when its worker died. alone: nobody asked for it, and no task was lost, whose loss would tell
    /// it.
    void ended(const task::Seat& seat, task::SeatState state, bool alone, const os::EndedChild& child) const noexcept;
    /// A worker has died over the task in a slot. word: of the slot, and still there: before anybody learns of it from
    /// the word.
    void lost(std::uint32_t slot, task::Word word, Ending ending, const os::EndedChild& child,
              bool runs_again) const noexcept;

    [[nodiscard]] LogSubject subject(std::uint32_t index, std::int32_t pid) const noexcept {
        return {index, pid, 0, {}, board_.control.name.data()};
    }

private:
    task::Board& board_;
};

}  // namespace procpool::detail::log

#if PROCPOOL_BODIES
#include <procpool/log/announcer.ipp>
#endif

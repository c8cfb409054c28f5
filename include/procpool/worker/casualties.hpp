// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Casualties: settles the tasks that a dead worker ran.

#include <procpool/core/config.hpp>
#include <procpool/log/announcer.hpp>
#include <procpool/log/log_record.hpp>
#include <procpool/os/children.hpp>
#include <procpool/task/board.hpp>

#include <cstdint>
#include <string_view>

namespace procpool::inline v0::detail::worker {

/// The loss of a task.
struct Loss {
    os::EndedChild worker;
    Ending ending = Ending::died;                 ///< unless it is condemned, or the pool ends
    const core::Crash* crash = nullptr;           ///< of the worker; null: none is known
    std::uint32_t level = task::Queue::requeued;  ///< its place when it runs again
    std::uint32_t index = LogRecord::no_worker;   ///< of the worker, of a companion's task; no_worker: unknown
    std::string_view host = {};                   ///< likewise, its machine
    std::uint64_t excess = 0;                     ///< bytes that the worker had, where it was killed for them
};

/// Called by: supervisor, which has seen the worker's end and not yet given its seat away, or the companion whose task
/// it is: no process but the parent, which may condemn or count, touches a started task's word or slot meanwhile.
class Casualties {
public:
    Casualties(task::Board& board, const log::Announcer& announcer) noexcept : board_(board), announcer_(announcer) {}

    /// Effects: offers each task that the dead worker ran again, if it may run again, and makes it lost otherwise.
    /// host: the machine that the seat stands for, if it does. Returns: whether there was one.
    /// excess: as Loss::excess.
    bool settle(std::uint32_t seat, const os::EndedChild& ended, std::string_view host = {},
                std::uint64_t excess = 0) noexcept;

    /// Effects: as settle(), for one task.
    void settle_task(std::uint32_t index, const Loss& loss) noexcept;

private:
    /// A worker counts a task before it says that it is done. It is dead, so no other process writes what it counted
    /// with.
    static void forget_count(task::Seat& seat, Ending outcome) noexcept;

    /// How the task of a dead worker ends, unless it runs again.
    [[nodiscard]] Ending ending_of(task::Word word, const Loss& loss) const noexcept;

    task::Board& board_;
    const log::Announcer& announcer_;
};

}  // namespace procpool::detail::worker

#if PROCPOOL_BODIES
#include <procpool/worker/casualties.ipp>
#endif

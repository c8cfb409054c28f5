// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Companion: a process beside the workers that claims tasks and has them run elsewhere.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/os/children.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/casualties.hpp>

#include <chrono>
#include <cstdint>
#include <string_view>

namespace procpool::inline v0::detail::worker {

/// Runs in the companion's process. It has no code of the user's, and so may write all of the board. It claims
/// tasks for its seats, which are the last of the board, each of them with as many tasks as it likes at a time, and
/// decides them: no supervisor kills it over a task, but the parker of its first seat is notified when a task of its
/// seats has been condemned, and when life has moved.
class Companion {
public:
    Companion() = default;
    Companion(const Companion&) = delete;
    Companion& operator=(const Companion&) = delete;
    virtual ~Companion() = default;

    /// Effects: serves until the pool ends, and returns. Called by: the child that the supervisor has forked for it.
    virtual void run(task::Board& board) = 0;
    /// Effects: nobody will decide what its seats have but the supervisor. Called by: supervisor, when it has ended.
    virtual void ended() noexcept = 0;
    /// The machine that one of its seats stands for; they count from 0. Called by: supervisor. Lifetime: the
    /// companion's.
    [[nodiscard]] virtual std::string_view host_of(std::uint32_t node) const noexcept = 0;
};

/// The companion's process, as its supervisor sees it. It is forked once: its death leaves the pool to the workers.
class CompanionProcess {
public:
    CompanionProcess(task::Board& board, Companion* companion) noexcept : board_(board), companion_(companion) {}

    [[nodiscard]] bool is_wanted() const noexcept { return companion_ != nullptr; }
    [[nodiscard]] bool runs() const noexcept { return pid_ != 0; }
    [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    /// Effects: takes the seats for the child that is about to be forked; then, whether that succeeded.
    void seat(pid_t pid) noexcept;
    /// The child's side. supervisor: its parent.
    [[noreturn]] void run(pid_t supervisor) noexcept;

    /// Effects: it looks at the board.
    void notify() noexcept {
        if (runs()) { board_.seats()[board_.workers_seats()].parker.notify(); }
    }
    /// Effects: it is told that the pool ends, and killed when it has not ended a while after that. Called by: the
    /// supervisor's loop, when life is beyond closing.
    void end(std::chrono::milliseconds grace) noexcept;
    [[nodiscard]] Clock::time_point next_time() const noexcept { return runs() ? kill_at_ : Clock::time_point::max(); }
    void signal(int signal) const noexcept;

    /// Effects: settles what its seats have; from now on tasks for the workers that it spoke for are lost.
    void settle(Casualties& casualties, const os::EndedChild& ended) noexcept;
    /// Effects: loses tasks for the workers that it spoke for.
    void lose_mail(Casualties& casualties) noexcept;

private:
    task::Board& board_;
    Companion* companion_;
    pid_t pid_ = 0;
    bool has_ended_ = false;
    Clock::time_point kill_at_ = Clock::time_point::max();
};

}  // namespace procpool::detail::worker

#if PROCPOOL_BODIES
#include <procpool/worker/companion.ipp>
#endif

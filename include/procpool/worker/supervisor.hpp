// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Supervisor: the process that forks the workers and their replacements, reaps them, and settles the tasks and seats
/// of dead workers.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/log/announcer.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/life_line.hpp>
#include <procpool/task/board.hpp>
#include <procpool/task/machine.hpp>
#include <procpool/worker/auditor.hpp>
#include <procpool/worker/casualties.hpp>
#include <procpool/worker/companion.hpp>
#include <procpool/worker/deadlines.hpp>
#include <procpool/worker/memory_guard.hpp>
#include <procpool/worker/process.hpp>
#include <procpool/worker/restarts.hpp>
#include <procpool/worker/setup.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace procpool::inline v0::detail::worker {

/// Made in the parent, used in its child: one thread, all signals blocked, no user code, no allocation in its loop.
/// Children end in SIGCHLD, read from a descriptor: unlike a pidfd for each of them it needs one descriptor for any
/// number of workers and every kernel has it.
class Supervisor {
public:
    /// bell: raised by the parent when Control changed. parent: readable when the parent has ended, or none.
    Supervisor(task::Board& board, const Setup& setup, os::Event& bell, os::Descriptor& parent)
        : board_(board),
          setup_(setup),
          bell_(bell),
          parent_(parent),
          workers_(setup.places + (setup.recycles ? 1 : 0)),
          deadlines_(board),
          announcer_(board, setup.is_far ? &task::this_machine->first_index : nullptr),
          casualties_(board, announcer_),
          companion_(board, setup.companion),
          auditor_(board),
          memory_guard_(board, setup.memory),
          restarts_(setup.actor ? setup.actor->restarts : 0, setup.actor ? setup.actor->period : milliseconds{}) {}

    /// Effects: serves the pool until it ends. Called by: the child that the pool's constructor forked, with all
    /// signals blocked.
    [[noreturn]] void run();

private:
    struct Worker {
        pid_t pid = 0;
        std::uint32_t seat = 0;
        Clock::time_point respawn_at = Clock::time_point::max();
        Clock::time_point started_at = {};
        task::Dismissal dismissed = task::Dismissal::none;
        std::uint64_t tasks = 0;            // that it had finished when it was looked at last
        Clock::time_point idle_since = {};  // it has begun none since
    };
    using milliseconds = std::chrono::milliseconds;
    static constexpr milliseconds companions_grace{2000};  // to tell other machines

    [[nodiscard]] task::Life life() const noexcept { return board_.control.life.load(std::memory_order_seq_cst); }
    [[nodiscard]] bool stopping() const noexcept { return life() > task::Life::closing; }
    [[nodiscard]] bool reforking() const noexcept;

    // ---- forking

    /// Whether a worker sits there that has not been reaped; the seat's own state is what its worker says.
    [[nodiscard]] bool is_occupied(std::uint32_t seat) const noexcept;

    [[nodiscard]] std::optional<std::uint32_t> vacant_seat() noexcept;

    /// Returns: 0, or why it failed.
    int spawn(std::uint32_t index) noexcept;

    struct Start {
        task::Board& board;
        const Setup& setup;
        std::uint32_t seat;
        std::uint32_t index;
        pid_t supervisor;
        CompanionProcess* companion = nullptr;  ///< it is this one, and no worker
        [[noreturn]] void run() const {
            if (companion != nullptr) { companion->run(supervisor); }
            run_process(board, setup, seat, index, supervisor);
        }
    };

    /// As spawn().
    int spawn_companion() noexcept;

    /// The child's side of both. The kernel kills it when its supervisor ends, in two ways: die_with_parent(), which
    /// a change of the user takes away, and the end of life_, which closing all descriptors takes away.
    [[noreturn]] void live(Start start) noexcept;

    [[noreturn]] void fail_to_start(int error) noexcept;

    void spawn_what_is_due() noexcept;

    /// False while the parent has yet to allow an actor's next life.
    [[nodiscard]] bool may_begin_life() const noexcept;

    [[nodiscard]] bool needs_workers() const noexcept;

    /// Whether a task waits for this worker and no other.
    [[nodiscard]] bool has_mail(std::uint32_t index) const noexcept;

    // ---- how many there are: see supervisor_size.hpp

    /// Effects: makes as many workers as are wanted due, and dismisses the others.
    void fit_to_size() noexcept;
    /// Effects: the worker leaves when it has finished what it runs.
    void dismiss(Worker& worker, task::Dismissal how) noexcept;
    /// Effects: as dismiss(), for the worker on that seat: another one takes its place.
    void replace_worker_on(std::uint32_t seat) noexcept;
    /// Effects: dismisses workers that have had no task for a while.
    void let_idle_go() noexcept;
    /// Effects: makes those due that have left, if tasks wait for which nobody is there; otherwise hears of the next
    /// such task.
    void bring_back() noexcept;
    [[nodiscard]] bool is_away(std::uint32_t index) const noexcept {
        return index < size_ && workers_[index].pid == 0 && workers_[index].respawn_at == Clock::time_point::max();
    }
    [[nodiscard]] bool is_spare(std::uint32_t index) const noexcept { return index >= setup_.places; }

    // ---- waiting

    void sleep() noexcept;

    /// Returns: when there will be work that no descriptor reports.
    [[nodiscard]] Clock::time_point next_time() const noexcept;

    [[nodiscard]] Clock::time_point start_deadline(const Worker& worker) const noexcept;

    void check_start_times() noexcept;

    [[nodiscard]] bool is_ending() const noexcept { return reforking() || life() == task::Life::closing; }

    void end_companion() noexcept;

    // ---- deadlines of tasks

    [[nodiscard]] Clock::time_point next_deadline() noexcept;

    void kill_worker_on(std::uint32_t seat) noexcept;

    // ---- ending

    void break_pool(const std::string& reason, const log::LogSubject& about) noexcept;

    void apply_life() noexcept;

    /// Signals all workers. One that is not reaped keeps its number, so this hits no stranger.
    void kill_all(int signal) noexcept;

    [[nodiscard]] bool may_end() const noexcept;

    /// Makes every undecided task lost. Requires: no worker runs any more.
    void settle_everything() noexcept;

    // ---- deaths

    void reap_all() noexcept;

    /// Takes stopped (SIGSTOP) workers out of the spinning and sleeping sets, so that only their own tasks wait for
    /// them.
    void bypass_stopped_workers() noexcept;

    /// Effects: a sleeper whose notifier died or was stopped between a step and the notification
    /// that belongs to it looks again: notify() has two, and wake_one() and replace_by_spare() have one before.
    void notify_again() noexcept;

    /// Effects: settles the task that the dead worker ran, vacates its seat, and makes its replacement due.
    void settle(Worker& worker, const os::EndedChild& ended) noexcept;
    inline void probe_end(const task::Seat& seat, task::SeatState state, bool unasked,
                          const os::EndedChild& ended) const noexcept;

    /// Effects: as settle(); a pool without workers breaks.
    void settle_companion(const os::EndedChild& ended) noexcept;

    /// Effects: records how an actor's process ended; breaks the pool if it may not be restarted, before a caller
    /// learns of the death from its call.
    void note_death_of_actor(const task::Seat& seat, bool unasked, const os::EndedChild& ended) noexcept;

    /// Effects: as note_death_of_actor(), once. Returns: whether the dead process stays a zombie, and its tasks as they
    /// are, since the parent has to end others before a caller learns of the death. Requires: an actor's, whose lives
    /// must each be allowed.
    [[nodiscard]] bool holds_death_back(const Worker& dead, const os::EndedChild& ended) noexcept;

    /// Effects: swaps the two if a retiring worker has given its index to the spare one: the spare is due again, not
    /// the index.
    void seat_spare(Worker& dead) noexcept;

    /// Effects: frees what dead guests have left.
    void sweep_guests() noexcept;

    /// Counts deaths before a worker is ready: workers that die there again and again would do so for ever, so the pool
    /// breaks.
    void count_death(Worker& worker, task::SeatState state, const os::EndedChild& ended);

    task::Board& board_;
    const Setup& setup_;
    os::Event& bell_;
    os::Descriptor& parent_;
    os::LifeLine::Watch watch_;
    std::optional<os::Pipe> life_;  // its writing end is the supervisor's alone
    os::Descriptor children_;
    std::vector<Worker> workers_;
    Deadlines deadlines_;
    log::Announcer announcer_;
    Casualties casualties_;
    CompanionProcess companion_;
    Auditor auditor_;
    MemoryGuard memory_guard_;
    Restarts restarts_;
    std::uint32_t next_seat_ = 0;
    std::uint32_t size_ = 0;  // how many workers were wanted when it looked last
    Clock::time_point look_for_idle_at_ = Clock::time_point::max();
    Clock::time_point look_for_demand_at_ = Clock::time_point::max();
    milliseconds fork_delay_{};
    Clock::time_point kill_at_ = Clock::time_point::max();
    std::uint32_t deaths_before_ready_ = 0;
    std::uint32_t ready_at_last_death_ = 0;
};

}  // namespace procpool::detail::worker

#include <procpool/worker/supervisor_size.hpp>

#if PROCPOOL_BODIES
#include <procpool/worker/supervisor.ipp>
#endif

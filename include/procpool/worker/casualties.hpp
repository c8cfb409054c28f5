// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Casualties: what becomes of the tasks that a dead worker ran.

#include <procpool/log/log.hpp>
#include <procpool/log/tracer.hpp>
#include <procpool/os/children.hpp>
#include <procpool/task/board.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace procpool::inline v0::detail::worker {

/// Called by: supervisor, which has seen the worker's end and not yet given its seat away: nobody but the parent, which
/// may condemn or count, touches a started task's word or slot meanwhile.
class Casualties {
public:
    explicit Casualties(task::Board& board) noexcept : board_(board) {}

    /// Effects: each task that the dead worker ran runs again, if it may, and is lost otherwise. Returns: whether there
    /// was one.
    bool settle(std::uint32_t seat, const os::EndedChild& ended) noexcept {
        const auto used = board_.used_slots();
        bool any = false;
        for (std::uint32_t i = 0; i < used.size(); ++i) {
            const task::Word word{used[i].word.load(std::memory_order_acquire)};
            if (word.phase() == task::Phase::started && word.seat() == seat) {
                forget_count(board_.seats()[seat], used[i].outcome);
                settle_task(i, ended);
                any = true;
            }
        }
        return any;
    }

private:
    /// A worker counts a task before it says that it is done. It is dead, so nobody else writes what it counted with.
    static void forget_count(task::Seat& seat, Ending outcome) noexcept {
        const std::uint32_t current = seat.current.exchange(0, std::memory_order_relaxed);
        if (current != task::Seat::counted && current != task::Seat::condemned) { return; }
        auto& count = outcome == Ending::value ? seat.completed : seat.failed;
        count.fetch_sub(1, std::memory_order_relaxed);
    }

    void settle_task(std::uint32_t index, const os::EndedChild& ended) noexcept {
        task::Slot& slot = board_.all_slots()[index];
        task::Issue& issue = board_.issue(index);
        bool told = false;  // once: the word may change meanwhile
        for (;;) {
            const task::Word word{slot.word.load(std::memory_order_acquire)};  // the parent may still condemn it
            if (word.phase() != task::Phase::started || board_.seat_of(word.seat()) == nullptr) { return; }
            const Ending ending = ending_of(word);
            if (issue.has(task::Slot::special) && issue.retries > 0 && core::may_retry(ending)) {
                board_.results.release_after_death(index, word.generation());
                if (!std::exchange(told, true)) { tell(index, word, ended, ending, true); }
                --issue.retries;
                ++slot.attempt;
                board_.control.requeued.fetch_add(
                    1, std::memory_order_relaxed);  // first, for who learns of it from the task's end
                if (board_.requeue(index, word)) {
                    board_.wake_for_new_task();
                    return;
                }
                board_.control.requeued.fetch_sub(1, std::memory_order_relaxed);
                ++issue.retries;
                --slot.attempt;
            }
            if (!std::exchange(told, true)) { tell(index, word, ended, ending, false); }
            slot.pid = ended.pid;
            slot.exit_status = ended.status;
            const core::Crash& crash = board_.seats()[word.seat()].crash;
            if (crash.is_cause_of(ended.pid, ended.status)) { board_.crashes.add(number_of(index), crash); }
            // Counted first, for who learns of it from the word.
            auto& count = ending == Ending::timed_out ? board_.control.timed_out : board_.control.casualties;
            const std::uint64_t counted = ending == Ending::cancelled ? 0 : 1;  // the parent counts what it kills
            count.fetch_add(counted, std::memory_order_relaxed);
            if (board_.lose_started(index, word, ending)) { return; }
            count.fetch_sub(counted, std::memory_order_relaxed);
        }
    }

    /// Effects: log and trace have what became of the task, and with it of its worker. Before anybody learns of it from
    /// the task's word.
    void tell(std::uint32_t index, task::Word word, const os::EndedChild& ended, Ending ending,
              bool runs_again) noexcept {
        const task::Slot& slot = board_.all_slots()[index];
        const std::uint32_t worker = board_.seats()[word.seat()].index.load(std::memory_order_relaxed);
        if (slot.is_traced()) {
            const std::uint64_t progress = board_.seats()[word.seat()].progress.load(std::memory_order_relaxed);
            const std::uint32_t items = progress >> 32 == word.generation() ? static_cast<std::uint32_t>(progress) : 0;
            log::trace_task(board_, index,
                            {.begin = 0,
                             .end = 0,
                             .queued = 0,
                             .cpu = -1,
                             .task = number_of(index),
                             .pid = ended.pid,
                             .pool = 0,
                             .worker = worker,
                             .items = items,
                             .attempt = 0,
                             .kind = {},
                             .ended = ending,
                             .text = {}});
            if (ending == Ending::timed_out) {
                log::trace_event(board_, log::TraceKind::timed_out, worker, ended.pid, log::label_of(board_, index));
            }
        }
        const LogLevel level = core::may_retry(ending) ? LogLevel::warning : LogLevel::debug;
        if (!log::is_logged(level)) { return; }
        const log::LogSubject subject{worker, ended.pid, number_of(index), log::label_of(board_, index),
                                      board_.control.name.data()};
        log::report(level, subject, "{}{}",
                    core::sentence(ending, {.worker = fmt::format("worker {}, process {},", worker, ended.pid),
                                            .task = "task " + std::to_string(subject.task),
                                            .status = ended.status,
                                            .timeout = board_.issue(index).time_limit()}),
                    runs_again ? "; it is run again" : "");
    }

    [[nodiscard]] std::uint64_t number_of(std::uint32_t index) const noexcept {
        return board_.number_of(index).load(std::memory_order_relaxed);
    }

    /// How the task of a dead worker ends, unless it runs again.
    [[nodiscard]] Ending ending_of(task::Word word) const noexcept {
        if (word.is_condemned() && word.verdict() != Ending::died) { return word.verdict(); }
        const task::Life life = board_.control.life.load(std::memory_order_seq_cst);
        return life <= task::Life::closing ? Ending::died : task::ending_by(life);
    }

    task::Board& board_;
};

}  // namespace procpool::detail::worker

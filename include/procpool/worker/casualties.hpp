// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Casualties: what becomes of the tasks that a dead worker ran.

#include <procpool/os/children.hpp>
#include <procpool/task/board.hpp>

#include <atomic>
#include <cstdint>

namespace procpool::worker {

/// Called by: supervisor, which has seen the worker's end and not yet given its seat away: nobody but the parent, which may condemn or
/// count, touches a started task's word or slot meanwhile.
class Casualties {
public:
    explicit Casualties(task::Board& board) noexcept : board_(board) {}

    /// Effects: each task that the dead worker ran runs again, if it may, and is lost otherwise.
    void settle(std::uint32_t seat, const os::EndedChild& ended) noexcept {
        const auto slots = board_.slots();
        for (std::uint32_t i = 0; i < slots.size(); ++i) {
            const task::Word word{slots[i].word.load(std::memory_order_acquire)};
            if (word.phase() == task::Phase::started && word.seat() == seat) { settle_task(i, ended); }
        }
    }

private:
    void settle_task(std::uint32_t index, const os::EndedChild& ended) noexcept {
        task::Slot& slot = board_.slots()[index];
        for (;;) {
            const task::Word word{slot.word.load(std::memory_order_acquire)};  // the parent may still condemn it
            if (word.phase() != task::Phase::started) { return; }
            const task::Cause cause = cause_of(word);
            if (slot.is_special() && slot.retries > 0 && (cause == task::Cause::died || cause == task::Cause::timed_out)) {
                board_.results.release_after_death(index, word.generation());
                --slot.retries;
                ++slot.attempt;
                if (board_.requeue(index, word)) {
                    board_.control.retried.fetch_add(1, std::memory_order_relaxed);
                    board_.wake_for_new_task();
                    return;
                }
                ++slot.retries;
                --slot.attempt;
            }
            slot.pid = ended.pid;
            slot.exit_status = ended.status;
            const task::Crash& crash = board_.seats()[word.seat()].crash;
            if (crash.count != 0) { board_.record_crash(index, word.generation(), crash); }
            // Counted first, for who learns of it from the word.
            auto& count = cause == task::Cause::timed_out ? board_.control.timed_out : board_.control.casualties;
            const std::uint64_t counted = cause == task::Cause::killed ? 0 : 1;  // the parent counts what it kills
            count.fetch_add(counted, std::memory_order_relaxed);
            if (board_.lose_started(index, word, cause)) { return; }
            count.fetch_sub(counted, std::memory_order_relaxed);
        }
    }

    [[nodiscard]] task::Cause cause_of(task::Word word) const noexcept {
        switch (word.verdict()) {
            case task::Verdict::timed_out: return task::Cause::timed_out;
            case task::Verdict::killed: return task::Cause::killed;
            case task::Verdict::none: break;
        }
        const task::Life life = board_.control.life.load(std::memory_order_seq_cst);
        if (life <= task::Life::closing) { return task::Cause::died; }
        return life == task::Life::broken ? task::Cause::broken : task::Cause::terminated;
    }

    task::Board& board_;
};

}  // namespace procpool::worker

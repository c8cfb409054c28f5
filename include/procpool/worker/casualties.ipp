// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/ending.hpp>
#include <procpool/worker/casualties.hpp>

#include <atomic>
#include <utility>

namespace procpool::inline v0::detail::worker {

PROCPOOL_DECL bool Casualties::settle(std::uint32_t seat, const os::EndedChild& ended, std::string_view host,
                                      std::uint64_t excess) noexcept {
    bool any = false;
    board_.each_used([&](std::uint32_t i) {
        const task::Slot& slot = board_.all_slots()[i];
        const task::Word word{slot.word.load(std::memory_order_acquire)};
        if (word.phase() == task::Phase::started && word.seat() == seat) {
            // It counted the innermost of the tasks that it had begun.
            const std::uint32_t inner = board_.seats()[seat].inner.load(std::memory_order_relaxed);
            if (inner == 0 || inner == i + 1) { forget_count(board_.seats()[seat], slot.outcome); }
            const core::Crash& crash = board_.seats()[seat].crash;
            const bool is_cause = crash.is_cause_of(ended.pid, ended.status);
            const bool is_far = board_.is_companions(seat);  // nobody knows which worker there had it
            settle_task(i, {.worker = is_far ? os::EndedChild{} : ended,
                            .ending = is_far ? Ending::node_lost : Ending::died,
                            .crash = is_cause ? &crash : nullptr,
                            .host = host,
                            .excess = excess});
            any = true;
        }
    });
    return any;
}

PROCPOOL_DECL void Casualties::forget_count(task::Seat& seat, Ending outcome) noexcept {
    const std::uint32_t current = seat.current.exchange(0, std::memory_order_relaxed);
    if (current != task::Seat::counted && current != task::Seat::condemned) { return; }
    auto& count = outcome == Ending::value ? seat.completed : seat.failed;
    count.fetch_sub(1, std::memory_order_relaxed);
}

PROCPOOL_DECL void Casualties::settle_task(std::uint32_t index, const Loss& loss) noexcept {
    const os::EndedChild& ended = loss.worker;
    task::Slot& slot = board_.all_slots()[index];
    task::Issue& issue = board_.issue_of(index);
    bool is_announced = false;  // once: the word may change meanwhile
    const auto announce = [&](task::Word word, Ending ending, bool runs_again) {
        if (std::exchange(is_announced, true)) { return; }
        announcer_.lost(index, word, {ending, ended, runs_again, loss.index, loss.host, loss.excess});
    };
    for (;;) {
        const task::Word word{slot.word.load(std::memory_order_acquire)};  // the parent may still condemn it
        if (word.phase() != task::Phase::started || board_.seat_of(word.seat()) == nullptr) { return; }
        const Ending ending = ending_of(word, loss);
        const bool has_no_worker = ending == Ending::node_lost && issue.has(task::Slot::mailed);
        if (issue.has(task::Slot::limited) && issue.retries > 0 && core::may_retry(ending) && !has_no_worker) {
            board_.results.release_after_death(index, word.generation());
            announce(word, ending, true);
            --issue.retries;
            ++slot.attempt;
            board_.control.requeued.fetch_add(
                1, std::memory_order_relaxed);  // first: a thread that learns of the task's end finds it counted
            if (board_.requeue(index, word, loss.level)) {
                board_.wake_for_new_task();
                return;
            }
            board_.control.requeued.fetch_sub(1, std::memory_order_relaxed);
            ++issue.retries;
            --slot.attempt;
        }
        announce(word, ending, false);
        slot.pid = ended.pid;
        slot.exit_status = ended.status;
        issue.excess = loss.excess;
        if (loss.crash != nullptr) {
            board_.crashes.add(board_.number_of(index).load(std::memory_order_relaxed), *loss.crash);
        }
        // Counted first: a thread that learns of it from the word finds it counted.
        auto& count = board_.control.lost_by(ending);
        const std::uint64_t counted = ending == Ending::cancelled ? 0 : 1;  // the parent counts what it kills
        count.fetch_add(counted, std::memory_order_relaxed);
        if (board_.lose_started(index, word, ending)) { return; }
        count.fetch_sub(counted, std::memory_order_relaxed);
    }
}

PROCPOOL_DECL Ending Casualties::ending_of(task::Word word, const Loss& loss) const noexcept {
    if (word.is_condemned()) {
        // Without the figure a task has written the verdict there.
        const bool is_made_up = word.verdict() == Ending::memory_exceeded && loss.excess == 0;
        if (!is_made_up) { return word.verdict(); }
    }
    const task::Life life = board_.control.life.load(std::memory_order_seq_cst);
    return life <= task::Life::closing || board_.actor.is_one ? loss.ending : task::ending_by(life);
}

}  // namespace procpool::detail::worker

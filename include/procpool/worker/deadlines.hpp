// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Deadlines: finds tasks that run longer than they may, and tasks that the parent has condemned.

#include <procpool/core/deadline.hpp>
#include <procpool/task/board.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

namespace procpool::inline v0::detail::worker {

/// Workers send no messages, so the slots are read. Called by: supervisor, or the thread engine's timer.
class Deadlines {
public:
    explicit Deadlines(task::Board& board) : board_(board), watches_(board.seats().size()) {}

    /// Calls expired(slot, word) for tasks past their timeout, and condemned(word) for those with a verdict. Returns:
    /// when to look again: the earliest time at which a running task expires, or one accepted now could.
    template <class Expired, class Condemned>
    [[nodiscard]] Clock::time_point look(Expired expired, Condemned condemned) noexcept {
        Clock::time_point next = Clock::time_point::max();
        const Clock::time_point now = Clock::now();
        board_.each_used([&](std::uint32_t i) {
            const task::Word word{board_.all_slots()[i].word.load(std::memory_order_seq_cst)};
            const bool started = word.phase() == task::Phase::started;
            if (started && board_.seat_of(word.seat()) == nullptr) { return; }  // a task has written there
            if (started && word.is_condemned()) {
                condemned(word);
            } else if (word.is_undecided() && board_.issue_of(i).is_timed()) {
                const std::chrono::nanoseconds timeout = board_.issue_of(i).time_limit();
                // There is a clock on the machines of a companion's tasks; but it may give them back, to be run here.
                const bool runs_here = started && !board_.is_companions(word.seat());
                const Clock::time_point expires =
                    runs_here ? later(start_of(i, word, now), timeout) : later(now, timeout);
                if (expires <= now && may_condemn(word)) {
                    expired(i, word);
                } else {
                    next = std::min(next, std::max(expires, now + std::chrono::milliseconds{1}));
                }
            }
        });
        return next;
    }

    /// Calls find(), which calls look(), until no task submitted meanwhile could expire before the time it returns
    /// without its submitter ringing. Returns: that time.
    template <class Find>
    [[nodiscard]] Clock::time_point arm(Find find) noexcept {
        Clock::time_point next = find();
        for (;;) {
            // seq_cst: written before the next look at the slots; a submitter publishes before it reads this.
            board_.control.armed.store(next.time_since_epoch().count(), std::memory_order_seq_cst);
            const Clock::time_point again = find();
            if (again >= next) { return next; }
            next = again;
        }
    }

    /// Forgets the task of a seat's last worker, when a new one takes the seat. Called by: supervisor.
    void forget(std::uint32_t seat) noexcept {
        watches_[seat] = {};
        board_.seats()[seat].item.store(0, std::memory_order_relaxed);
    }

private:
    /// When a timed task was first seen running on a seat.
    struct Watch {
        std::uint64_t task = 0;  // its number
        Clock::time_point seen{};
    };

    [[nodiscard]] static Clock::time_point later(Clock::time_point from, std::chrono::nanoseconds timeout) noexcept {
        return timeout > Clock::time_point::max() - from ? Clock::time_point::max() : from + timeout;
    }

    [[nodiscard]] static bool is_stamped(task::Word word, std::uint64_t item) noexcept {
        return item >> 32 == word.generation();
    }

    /// The worker's stamp, or, when it was stopped before it wrote one, when the task was first seen running.
    [[nodiscard]] Clock::time_point start_of(std::uint32_t slot, task::Word word, Clock::time_point now) noexcept {
        const task::Seat& seat = board_.seats()[word.seat()];
        item_ = seat.item.load(std::memory_order_seq_cst);
        if (const std::uint64_t outer = seat.outer_item.load(std::memory_order_acquire);
            outer != 0 && is_stamped(word, outer) && !is_stamped(word, item_)) {
            const Clock::time_point began{Clock::duration{seat.outer_started.load(std::memory_order_acquire)}};
            return began >= Clock::time_point{} && seat.outer_item.load(std::memory_order_acquire) == outer
                       ? std::min(began, now)
                       : now;
        }
        Watch& watch = watches_[word.seat()];
        // Where the slot has another task by now, its number is newer than the word: that only puts off what is not to
        // be stopped any more.
        if (const std::uint64_t number = board_.number_of(slot).load(std::memory_order_acquire); watch.task != number) {
            watch = {number, now};
        }
        if (!is_stamped(word, item_)) { return watch.seen; }
        const Clock::time_point stamp{Clock::duration{seat.task_started.load(std::memory_order_seq_cst)}};
        return stamp >= Clock::time_point{} && stamp <= Clock::now() ? stamp : watch.seen;
    }

    /// The item that start_of() saw the stamp of still runs, and will not be followed by another: the worker stamps the
    /// next one before it steps to it, and finds that it must not step.
    [[nodiscard]] bool may_condemn(task::Word word) noexcept {
        std::atomic<std::uint64_t>& item = board_.seats()[word.seat()].item;
        if (!is_stamped(word, item_)) { return !is_stamped(word, item.load(std::memory_order_seq_cst)); }
        // The generation in it keeps this from an item of the seat's next task.
        return (item_ & 1) != 0 || item.compare_exchange_strong(item_, item_ | 1, std::memory_order_seq_cst);
    }

    task::Board& board_;
    std::vector<Watch> watches_;  // by seat
    std::uint64_t item_ = 0;
};

}  // namespace procpool::detail::worker

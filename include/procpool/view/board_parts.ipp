// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadline.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/os/other_process.hpp>
#include <procpool/os/ticks.hpp>
#include <procpool/task/board.hpp>
#include <procpool/view/board_parts.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>

namespace procpool::inline v0::detail::view {

/// Returns: "SIGKILL", "signal 40"; "exit" for 0.
[[nodiscard]] PROCPOOL_DECL std::string reason_of(int signal) {
    if (signal == 0) { return "exit"; }
    const std::string text = to_string(ExitStatus::from_signal(signal));
    const std::size_t name = text.find('(');
    return name == std::string::npos ? std::string{"signal "}.append(std::to_string(signal))
                                     : text.substr(name + 1, text.size() - name - 2);
}

[[nodiscard]] PROCPOOL_DECL std::string_view name_of(task::Life life) noexcept {
    constexpr std::array<std::string_view, 5> names{"open", "closing", "terminated", "killed", "broken"};
    return names[std::min<std::size_t>(static_cast<std::size_t>(life), names.size() - 1)];
}

/// Steady clock, nanoseconds. Returns: seconds since then; 0 for a time to come.
[[nodiscard]] PROCPOOL_DECL double seconds_since(std::int64_t then) noexcept {
    const std::int64_t now = Clock::now().time_since_epoch().count();
    return then > 0 && then < now ? static_cast<double>(now - then) / 1e9 : 0;
}

[[nodiscard]] PROCPOOL_DECL std::uint64_t difference(std::uint64_t from, std::uint64_t less) noexcept {
    return from - std::min(from, less);
}

PROCPOOL_DECL void add_workers(PoolView& view, const BoardParts& parts) {
    const task::Control& control = *parts.control;
    const std::size_t seats =
        std::min<std::size_t>({parts.head->workers_seats, parts.seats.size(), parts.sitters.size()});
    for (std::size_t number = 0; number < seats; ++number) {
        const task::Seat& seat = parts.seats[number];
        const task::SeatState state = seat.state.load(std::memory_order_acquire);
        const std::int32_t sitter = parts.sitters[number].load(std::memory_order_relaxed);
        const std::int32_t pid = sitter != 0 ? sitter : seat.pid.load(std::memory_order_relaxed);
        if (state == task::SeatState::vacant || pid <= 0) { continue; }
        WorkerView worker;
        worker.seat = static_cast<std::uint32_t>(number);
        if (const std::uint32_t index = seat.index.load(std::memory_order_relaxed); index < control.places) {
            worker.index = index;
        }
        worker.pid = pid;
        const std::uint32_t current = seat.current.load(std::memory_order_relaxed);
        const bool is_busy = current != 0 && current != task::Seat::counted;
        worker.state = state == task::SeatState::starting || state == task::SeatState::failed
                           ? WorkerView::State::starting
                       : state == task::SeatState::leaving ? WorkerView::State::leaving
                       : is_busy                           ? WorkerView::State::busy
                                                           : WorkerView::State::idle;
        const std::uint64_t done =
            seat.completed.load(std::memory_order_relaxed) + seat.failed.load(std::memory_order_relaxed);
        worker.tasks_done = difference(done, seat.before.load(std::memory_order_relaxed));
        worker.uptime = seconds_since(seat.started_at.load(std::memory_order_relaxed));
        view.workers.push_back(std::move(worker));
    }
    std::ranges::stable_sort(view.workers, {},
                             [](const WorkerView& worker) { return worker.index.value_or(UINT32_MAX); });
}

PROCPOOL_DECL void add_endings(PoolView& view, const BoardParts& parts) {
    const task::Control& control = *parts.control;
    const task::FromWorkers& from_workers = *parts.from_workers;
    const auto of = [&view](Ending ending) -> std::uint64_t& { return view.ended[static_cast<std::size_t>(ending)]; };
    for (std::size_t i = 0; i < view.ended.size(); ++i) {
        // Those that are killed are counted by the parent.
        if (i == static_cast<std::size_t>(Ending::cancelled)) { continue; }
        view.ended[i] = parts.head->lost[i].load(std::memory_order_relaxed);
    }
    for (const task::Seat& seat : parts.seats) {
        of(Ending::value) += seat.completed.load(std::memory_order_relaxed);
        of(Ending::exception) += seat.failed.load(std::memory_order_relaxed);
    }
    const std::uint64_t after_death = control.resumed_casualties.load(std::memory_order_relaxed);
    const std::uint64_t after_timeout = control.resumed_timeouts.load(std::memory_order_relaxed);
    of(Ending::died) = difference(of(Ending::died), after_death);
    of(Ending::timed_out) = difference(of(Ending::timed_out), after_timeout);
    of(Ending::cancelled) = parts.head->cancelled.load(std::memory_order_relaxed) +
                            from_workers.guests.cancelled.load(std::memory_order_relaxed) +
                            control.withdrawn.load(std::memory_order_relaxed) +
                            from_workers.cancelled_with_others.load(std::memory_order_relaxed);
    view.retried = control.requeued.load(std::memory_order_relaxed) + after_death + after_timeout;
}

PROCPOOL_DECL PoolView view_of(const BoardParts& parts) {
    const task::Control& control = *parts.control;
    PoolView view;
    view.name = task::text_within(control.name);
    view.supervisor = control.supervisor_pid.load(std::memory_order_relaxed);
    const task::Life life = control.life.load(std::memory_order_relaxed);
    view.state = name_of(life);
    if (life == task::Life::broken) { view.reason = parts.from_workers->reason(); }
    const task::Orders::Told told = control.orders.look();
    view.is_paused = told.is_paused();
    view.is_reforking = told.refork() != task::Refork::none;
    view.uptime = seconds_since(parts.head->built_at);
    view.workers_wanted = control.workers.load(std::memory_order_relaxed);
    view.queue.capacity = parts.head->parents_slots;
    add_workers(view, parts);
    add_endings(view, parts);
    view.started = control.workers_started.load(std::memory_order_relaxed);
    view.recycled = control.workers_recycled.load(std::memory_order_relaxed);
    for (std::size_t signal = 0; signal < task::BoardHead::signal_numbers; ++signal) {
        const std::uint64_t count = parts.head->deaths[signal].load(std::memory_order_relaxed);
        if (count != 0) { view.deaths[reason_of(static_cast<int>(signal))] += count; }
    }
    if (control.measures) {
        Times& times = view.times.emplace();
        for (const task::Latencies& one : parts.latencies) {
            one.waiting.add_to(times.waiting);
            one.running.add_to(times.running);
        }
        const std::uint64_t passed = os::ticks() - parts.head->built_tick;
        const double elapsed = seconds_since(parts.head->built_at) * 1e9;
        if (passed != 0 && elapsed > 0) { times.nanoseconds_per_tick = elapsed / static_cast<double>(passed); }
    }
    return view;
}

PROCPOOL_DECL void add_to_queue(QueueView& queue, std::span<const task::Slot> group,
                                std::span<const task::Issue> issues) {
    for (std::size_t i = 0; i < group.size(); ++i) {
        const task::Word word{group[i].word.load(std::memory_order_relaxed)};
        if (word.finished()) { ++queue.ended; }
        if (word.phase() == task::Phase::started) { ++queue.running; }
        if (!word.has_not_started()) { continue; }
        QueueView::Level* level = &queue.guests;
        if (i < issues.size()) {
            const std::uint32_t place = issues[i].place.load(std::memory_order_relaxed);
            const std::uint32_t priority = (place & ~task::Issue::linked) - task::Queue::first_priority;
            level = (place & task::Issue::mailed) != 0 ? &queue.for_one_worker
                                                       : &queue.priorities[priority % queue.priorities.size()];
        }
        const bool is_blocked = word.phase() == task::Phase::blocked;
        ++(is_blocked ? level->blocked : level->pending);
        ++(is_blocked ? queue.blocked : queue.pending);
    }
}

PROCPOOL_DECL void add_use(PoolView& view, std::int32_t supervisor) {
    for (WorkerView& worker : view.workers) {
        const std::optional<os::ProcessUse> use = os::use_of_process(worker.pid);
        if (!use || use->parent != supervisor) { continue; }
        worker.resident_bytes = use->resident_bytes;
        worker.shared_bytes = use->shared_bytes;
        worker.cpu_seconds = use->cpu_seconds;
    }
}

PROCPOOL_DECL PoolView view_of(const task::Board& board) {
    const auto* const start = reinterpret_cast<const std::byte*>(&board);
    const auto latencies = board.head.latencies;
    const std::span<const std::atomic<std::int32_t>> sitters{&board.sitter(0), board.seats().size()};
    PoolView view = view_of(BoardParts{&board.head,
                                       &board.control,
                                       &board.from_workers,
                                       board.seats(),
                                       sitters,
                                       {reinterpret_cast<const task::Latencies*>(start + latencies.offset),
                                        static_cast<std::size_t>(latencies.count)}});
    const std::span<const task::Slot> used = board.used_slots();
    const std::span<const task::Issue> issues{&board.issue(0), used.size()};
    add_to_queue(view.queue, used, issues);
    add_to_queue(view.queue, board.all_slots().subspan(board.guests.first(), board.guests.used()), {});
    if (!board.control.shares_memory) { add_use(view, view.supervisor); }
    return view;
}

}  // namespace procpool::detail::view

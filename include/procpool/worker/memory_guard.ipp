// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/ending.hpp>
#include <procpool/log/report.hpp>
#include <procpool/os/cgroup.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/process_memory.hpp>
#include <procpool/worker/memory_guard.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>

namespace procpool::inline v0::detail::worker {

// The groups may change, so they are looked up each time.
PROCPOOL_DECL std::uint64_t available_memory_here() { return os::Limits{}.available_memory(); }
PROCPOOL_DECL double memory_pressure_here() { return os::Limits{}.memory_pressure(); }

PROCPOOL_DECL void MemoryGuard::start() noexcept {
    if (limits_.reserve == 0) { return; }
    for (task::Seat& seat : board_.seats()) { seat.goes_on.store(0, std::memory_order_relaxed); }
    board_.control.orders.set_paused(workers() > 1);
}

PROCPOOL_DECL void MemoryGuard::begin(std::uint32_t seat) noexcept {
    board_.seats()[seat].goes_on.store(0, std::memory_order_relaxed);
    if (!limits_.any()) { return; }
    watches_[seat] = {};
    watches_[seat].inherited = os::own_memory(os::this_process()).value_or(0);
    if (limits_.reserve != 0) {  // a worker finds that it may begin
        const auto goes_on = std::count_if(board_.seats().begin(), board_.seats().end(), [](const task::Seat& other) {
            return other.goes_on.load(std::memory_order_relaxed) != 0;
        });
        board_.seats()[seat].goes_on.store(goes_on < admitted_ ? 1 : 0, std::memory_order_relaxed);
    }
}

PROCPOOL_DECL MemoryGuard::Verdict MemoryGuard::examine(std::uint32_t seat) noexcept {
    const task::Seat& at = board_.seats()[seat];
    const std::int32_t pid = board_.sitter(seat).load(std::memory_order_relaxed);
    Watch& watch = watches_[seat];
    if (pid <= 0 || at.state.load(std::memory_order_acquire) != task::SeatState::ready) {
        watch.own = watch.peak = 0;
        watch.has_worked = false;
        return Verdict::none;
    }
    const std::uint32_t items = at.items_done.load(std::memory_order_relaxed);
    const bool busy = at.current.load(std::memory_order_relaxed) != 0;
    const bool worked_before = watch.has_worked;
    watch.has_worked = busy || items != watch.items;
    watch.items = items;
    if (!watch.has_worked && !worked_before && watch.is_known) {
        watch.peak = watch.own;
        return Verdict::none;
    }
    const auto own = [&](std::uint64_t bytes) { return bytes - std::min(bytes, watch.inherited); };
    watch.is_known = true;
    watch.own = own(os::own_memory(pid).value_or(0));
    if (limits_.reserve != 0) {
        watch.peak = std::max(watch.own, own(os::own_peak(pid).value_or(0)));
        os::forget_peak(pid);
    }
    if (limits_.kill_rss != 0 && watch.own > limits_.kill_rss) {
        // First: the worker may die by itself as soon as its task is condemned.
        watch.excess = watch.own;
        if (condemn_tasks_of(seat)) { return Verdict::kill; }
        watch.excess = 0;
    }
    return has_too_much(seat, busy) ? Verdict::replace : Verdict::none;
}

PROCPOOL_DECL bool MemoryGuard::has_too_much(std::uint32_t seat, bool busy) noexcept {
    Watch& watch = watches_[seat];
    const std::uint64_t limit = limits_.max_rss != 0 ? limits_.max_rss : busy ? 0 : limits_.kill_rss;
    if (limit == 0 || watch.own <= limit || watch.is_leaving) { return false; }
    if (watch.items == 0 && !busy) {  // it would leave before it has done anything, and so would the next one
        warn_of_start(watch.own, limit);
        return false;
    }
    constexpr std::uint32_t a_habit = 3;
    short_lives_ = watch.items + (busy ? 1 : 0) <= 1 ? short_lives_ + 1 : 0;
    if (short_lives_ == a_habit) { warn_of_start(watch.own, limit); }
    return watch.is_leaving = true;
}

PROCPOOL_DECL bool MemoryGuard::condemn_tasks_of(std::uint32_t seat) noexcept {
    bool any = false;
    board_.each_used([&](std::uint32_t slot) {
        const task::Word word{board_.all_slots()[slot].word.load(std::memory_order_acquire)};
        if (word.phase() != task::Phase::started || word.seat() != seat) { return; }
        any = board_.condemn(slot, word.generation(), Ending::memory_exceeded) || any;
    });
    return any;
}

PROCPOOL_DECL void MemoryGuard::warn_of_start(std::uint64_t own, std::uint64_t limit) noexcept try {
    if (is_told_of_start_) { return; }
    is_told_of_start_ = true;
    log::report(
        LogLevel::warning, {.pool = board_.control.name.data()},
        "workers have {} of memory of their own before their first item or with it, and may have {}: the limit is "
        "too low, and none of them does more than one item",
        core::text_of_bytes(own), core::text_of_bytes(limit));
} catch (const std::exception&) {  // no memory for the words: the supervisor goes on without this record
}

PROCPOOL_DECL Clock::duration MemoryGuard::period() const noexcept {
    constexpr std::chrono::milliseconds often{100};
    constexpr std::chrono::milliseconds seldom{500};
    return limits_.max_rss != 0 || limits_.kill_rss != 0 || is_growing_ ? often : seldom;
}

PROCPOOL_DECL std::uint64_t MemoryGuard::ask_what_is_available() noexcept try {
    return memory_source.available();
} catch (const std::exception&) { return 0; }

PROCPOOL_DECL void MemoryGuard::reckon(Clock::time_point now, std::uint64_t before) noexcept try {
    constexpr double most_pressure = 10;   // per cent
    constexpr double memory_of_need = 30;  // seconds
    constexpr std::uint64_t least_need = std::uint64_t{1} << 20;
    // Memory that a worker gives back or takes during the look would count twice, as its own and as available: so the
    // less of two answers counts, and more workers are admitted only where two looks in a row have found room for them.
    const std::uint64_t available = std::min(before, ask_what_is_available());
    const double pressure = memory_source.pressure();
    const bool is_short = available < limits_.reserve || pressure >= most_pressure;

    const std::uint64_t last_need = need_;
    std::uint64_t admitted_have = 0;
    bool busy = false;
    for (std::uint32_t seat = 0; seat < board_.workers_seats(); ++seat) {
        const Watch& watch = watches_[seat];
        busy = busy || watch.has_worked;
        need_ = std::max(need_, watch.peak);
        if (board_.seats()[seat].goes_on.load(std::memory_order_relaxed) != 0) { admitted_have += watch.own; }
    }
    const bool has_grown = need_ > last_need + last_need / 16 + least_need;
    const double seconds =
        std::chrono::duration<double>(now - std::max(reckoned_at_, now - std::chrono::seconds{1})).count();
    if (busy) { need_ -= static_cast<std::uint64_t>(static_cast<double>(need_) * seconds / memory_of_need); }
    reckoned_at_ = now;

    // As many as can have at once what one needs, besides what the others have by now.
    const std::uint64_t all = std::max<std::uint64_t>(1, workers());
    std::uint64_t fit = 1;
    if (!is_short) {
        fit = std::clamp<std::uint64_t>((available - limits_.reserve + admitted_have) / std::max(need_, least_need), 1,
                                        all);
    }
    has_learned_ = has_learned_ || busy;
    const std::uint64_t may = std::min(fit, std::max<std::uint64_t>(fit_, admitted_));
    fit_ = fit;
    const std::uint64_t next = busy && !has_grown      ? std::uint64_t{2} * admitted_
                               : !busy && has_learned_ ? fit
                                                       : admitted_;
    admitted_ = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(next, 1, may));
    is_growing_ = admitted_ < fit || !has_learned_;
    if (busy && fit < all && !is_told_) {
        is_told_ = true;
        tell(is_short, available, pressure);
    } else if (admitted_ == all && is_told_) {
        is_told_ = false;
        log::report(LogLevel::info, {.pool = board_.control.name.data()}, "all workers take tasks again");
    }
} catch (const std::exception&) {  // no memory to read with
    admitted_ = 1;
}

PROCPOOL_DECL void MemoryGuard::tell(bool is_short, std::uint64_t available, double pressure) noexcept try {
    const std::string why = !is_short ? "each has needed up to " + core::text_of_bytes(need_)
                            : available < limits_.reserve
                                ? std::string{"that is too little"}
                                : fmt::format("processes wait for memory {:.0f} % of the time", pressure);
    log::report(LogLevel::warning, {.pool = board_.control.name.data()},
                "memory is short: {} are available, {} are kept in reserve, and {}; {} of {} workers take new tasks",
                core::text_of_bytes(available), core::text_of_bytes(limits_.reserve), why, admitted_, workers());
} catch (const std::exception&) {  // as above
}

PROCPOOL_DECL bool MemoryGuard::is_ending() const noexcept {
    const task::Life life = board_.control.life.load(std::memory_order_seq_cst);
    return life > task::Life::closing || board_.control.orders.look().refork() != task::Refork::none ||
           (life == task::Life::closing && board_.queue.was_empty() && !board_.has_mail() && !board_.has_blocked());
}

PROCPOOL_DECL void MemoryGuard::admit() noexcept {
    task::Orders& orders = board_.control.orders;
    const bool was_paused = orders.glance().is_paused();
    if (admitted_ >= workers() || is_ending()) {
        if (!was_paused) { return; }
        orders.set_paused(false);
        return board_.wake_seats();
    }
    // Chosen first: at every moment some worker takes tasks. Those that sleep are woken, so that no submitter takes one
    // for a worker that looks for tasks.
    const bool is_new = choose();
    if (!was_paused) { orders.set_paused(true); }
    if (is_new || !was_paused) { board_.wake_seats(); }
}

PROCPOOL_DECL bool MemoryGuard::can_go_on(std::uint32_t seat, task::SeatState state) const noexcept {
    const task::Seat& at = board_.seats()[seat];
    const std::int32_t pid = board_.sitter(seat).load(std::memory_order_relaxed);
    return pid > 0 && at.state.load(std::memory_order_acquire) == state &&
           at.index.load(std::memory_order_relaxed) < workers() &&
           at.dismissal.load(std::memory_order_relaxed) == task::Dismissal::none && !os::is_stopped(pid);
}

PROCPOOL_DECL bool MemoryGuard::choose() noexcept {
    std::uint32_t chosen = 0;
    bool is_new = false;
    const auto seats = board_.seats().first(board_.workers_seats());
    // Those that do stay where they can, since they may know of tasks; a starting worker is the last choice.
    const auto pass = [&](bool does, task::SeatState state) {
        for (std::uint32_t seat = 0; seat < seats.size(); ++seat) {
            if ((seats[seat].goes_on.load(std::memory_order_relaxed) != 0) != does) { continue; }
            const bool may = chosen < admitted_ && can_go_on(seat, state);
            if (may) { ++chosen; }
            if (may == does) { continue; }
            // seq_cst: see Loop::sit_out().
            seats[seat].goes_on.store(may ? 1 : 0, std::memory_order_seq_cst);
            is_new = true;
        }
    };
    pass(true, task::SeatState::ready);
    pass(false, task::SeatState::ready);
    pass(false, task::SeatState::starting);
    return is_new;
}

}  // namespace procpool::detail::worker

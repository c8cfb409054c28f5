// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/worker/supervisor_size.hpp>

#include <algorithm>

namespace procpool::inline v0::detail::worker {

PROCPOOL_DECL void Supervisor::fit_to_size() noexcept {
    const std::uint32_t size = board_.control.workers.load(std::memory_order_seq_cst);
    for (std::uint32_t index = size_; index < size; ++index) {
        Worker& worker = workers_[index];
        if (worker.pid != 0) {
            if (worker.dismissed == task::Dismissal::surplus) { dismiss(worker, task::Dismissal::replaced); }
        } else if (worker.respawn_at == Clock::time_point::max()) {
            worker.respawn_at = Clock::now();
        }
    }
    size_ = size;
    for (std::uint32_t index = size; index < setup_.places; ++index) {
        Worker& worker = workers_[index];
        if (worker.pid != 0 && worker.dismissed != task::Dismissal::surplus) {
            dismiss(worker, task::Dismissal::surplus);
        }
    }
    if (setup_.idle_timeout.count() != 0 && life() <= task::Life::closing && !reforking()) {
        let_idle_go();
        bring_back();
    }
    const bool any = std::any_of(workers_.begin(), workers_.end(), [](const Worker& worker) {
        return worker.pid != 0 && worker.dismissed != task::Dismissal::none;
    });
    if (!any && board_.control.orders.glance().is_personal()) { board_.control.orders.set_personal(false); }
}

PROCPOOL_DECL void Supervisor::dismiss(Worker& worker, task::Dismissal how) noexcept {
    worker.dismissed = how;
    task::Seat& seat = board_.seats()[worker.seat];
    // The notification comes last: a worker that is awake because of it sees both, and one that is awake anyway sees
    // them before its next task or the one after it.
    seat.dismissal.store(how, std::memory_order_relaxed);
    board_.control.orders.set_personal(true);
    seat.parker.notify();
}

PROCPOOL_DECL void Supervisor::let_idle_go() noexcept {
    const Clock::time_point now = Clock::now();
    if (now < look_for_idle_at_) { return; }
    const auto stays = [](const Worker& worker) {
        return worker.pid != 0 && worker.dismissed == task::Dismissal::none;
    };
    const auto present = static_cast<std::size_t>(std::count_if(workers_.begin(), workers_.begin() + size_, stays));
    std::size_t surplus = present - std::min(present, setup_.min_workers);
    for (std::uint32_t index = size_; index-- > 0;) {
        Worker& worker = workers_[index];
        if (!stays(worker)) { continue; }
        const task::Seat& seat = board_.seats()[worker.seat];
        const std::uint64_t tasks =
            seat.completed.load(std::memory_order_relaxed) + seat.failed.load(std::memory_order_relaxed);
        if (seat.state.load(std::memory_order_relaxed) != task::SeatState::ready || tasks != worker.tasks ||
            seat.current.load(std::memory_order_relaxed) != 0) {
            worker.tasks = tasks;
            worker.idle_since = now;
        } else if (surplus != 0 && now - worker.idle_since >= setup_.idle_timeout) {
            dismiss(worker, task::Dismissal::surplus);
            --surplus;
        }
    }
    look_for_idle_at_ =
        surplus == 0 ? Clock::time_point::max() : now + std::max(setup_.idle_timeout / 2, milliseconds{1});
}

PROCPOOL_DECL void Supervisor::bring_back() noexcept {
    constexpr milliseconds soon{5};
    constexpr milliseconds later{100};
    const auto away = [this] {
        std::uint32_t found = 0;
        for (std::uint32_t index = 0; index < size_; ++index) { found += is_away(index) ? 1 : 0; }
        return found;
    };
    std::uint32_t missing = away();
    look_for_demand_at_ = Clock::time_point::max();
    if (missing == 0) { return board_.await_no_demand(); }
    if (board_.awaits_demand()) { return; }
    const auto starting = static_cast<std::uint32_t>(
        std::count_if(workers_.begin(), workers_.begin() + size_, [this](const Worker& worker) {
            return worker.pid != 0
                       ? board_.seats()[worker.seat].state.load(std::memory_order_relaxed) == task::SeatState::starting
                       : worker.respawn_at != Clock::time_point::max();
        }));
    const std::uint32_t waiting = board_.waiting_tasks(starting + missing);
    const std::uint32_t here = size_ - missing;
    const std::uint32_t may_come = memory_guard_.admitted() - std::min(memory_guard_.admitted(), here);
    std::uint32_t due = std::min(waiting - std::min(waiting, starting), may_come);
    for (std::uint32_t index = 0; index < size_ && due != 0; ++index) {
        if (!is_away(index)) { continue; }
        workers_[index].respawn_at = Clock::now();
        --due;
        --missing;
    }
    if (missing == 0) { return; }
    if (waiting != 0) {  // for those that start, or for memory
        look_for_demand_at_ = Clock::now() + (may_come != 0 ? soon : later);
        return;
    }
    board_.await_demand();
    if (!board_.queue.was_empty()) { board_.wake_for_new_task(); }  // perhaps this process
}

}  // namespace procpool::detail::worker

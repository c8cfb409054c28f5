// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadlock.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/core/error.hpp>
#include <procpool/engine/inline.hpp>
#include <procpool/engine/thread.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/throw_place.hpp>
#include <procpool/os/yield.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace procpool::inline v0::detail::engine {

PROCPOOL_DECL InlineCrew::InlineCrew(client::Client& client, worker::Setup setup)
    : client_(client),
      board_(client.board()),
      setup_(std::move(setup)),
      loop_(board_, 0, thread_hooks) {
    task::Seat& seat = board_.seats()[0];
    seat.pid.store(os::this_process(), std::memory_order_relaxed);
    seat.state.store(task::SeatState::ready, std::memory_order_relaxed);
    board_.control.workers_started.store(1, std::memory_order_relaxed);
    board_.control.workers_forked.store(1, std::memory_order_relaxed);
    if (setup_.backtraces) { os::records_throws.store(true, std::memory_order_relaxed); }
    const AsWorker now{*this};
    static_cast<void>(worker::initialize(setup_, 0, state_, [](const std::string& reason) {
        throw PoolBroken("procpool: " + core::sentence(Ending::broken, {.reason = reason}));
    }));
}

PROCPOOL_DECL bool InlineCrew::has_ended() noexcept {
    return board_.control.ended.load(std::memory_order_acquire) != 0;
}

PROCPOOL_DECL bool InlineCrew::join(Deadline deadline) {
    // In a task, the calls of other threads would wait for the caller's task.
    if (!is_in_task() && !wait_for_calls(deadline)) { return false; }
    const std::lock_guard guard{running_};
    if (board_.control.ended.exchange(1) == 0) {
        const AsWorker now{*this};
        loop_.drop_parts();
        worker::finalize(setup_, 0, std::move(state_));
    }
    return true;
}

PROCPOOL_DECL void InlineCrew::run_here() {
    const std::lock_guard guard{running_};
    if (board_.actor.is_one && is_in_task()) { return; }  // its calls do not overlap: this one runs after that
    const AsWorker now{*this};
    const Running here{*this};
    while (loop_.run_one_within(true) && board_.actor.is_one) {}
}

PROCPOOL_DECL void InlineCrew::tidy() noexcept {
    const std::lock_guard guard{running_};
    const AsWorker now{*this};
    loop_.tidy();
}

PROCPOOL_DECL bool InlineCrew::is_in_task() const noexcept {
    return runner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

PROCPOOL_DECL bool InlineCrew::run_awaited(std::uint32_t slot, task::Word word) {
    if (!is_in_task()) { return false; }
    if (word.phase() == task::Phase::started) { core::throw_deadlock("procpool: a task waits for its own end"); }
    if (!word.has_not_started()) { return false; }
    if (board_.actor.is_one) { core::throw_call_within_call(); }
    const std::optional<task::Offer> first = board_.pending_before(slot);
    return first && loop_.run_within(*first);
}

PROCPOOL_DECL bool InlineCrew::make_room() {
    if (!is_in_task()) { return false; }
    if (board_.actor.is_one) { core::throw_call_within_call(); }
    if (loop_.run_one_within(false)) { return true; }
    const auto has_started = [](const task::Slot& slot) {
        return task::Word{slot.word.load(std::memory_order_acquire)}.phase() == task::Phase::started;
    };
    if (std::ranges::all_of(board_.parents_slots(), has_started)) {
        core::throw_deadlock(
            "procpool: a task submits to its own pool, whose queue is full of tasks that wait for room in it");
    }
    os::nap();  // other threads are about to take results
    return true;
}

PROCPOOL_DECL bool InlineCrew::wait_for_calls(Deadline deadline) {
    const client::Parkers::Lease lease = client_.parkers().lease();
    while (client_.life() == task::Life::open) {
        if (deadline.passed()) { return false; }
        lease.park(deadline.or_sooner(Deadline::after(client::longest_sleep)));
    }
    return true;
}

}  // namespace procpool::detail::engine

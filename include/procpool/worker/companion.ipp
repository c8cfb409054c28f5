// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/process.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/worker/companion.hpp>

#include <cstdlib>
#include <optional>

namespace procpool::inline v0::detail::worker {

PROCPOOL_DECL void CompanionProcess::seat(pid_t pid) noexcept {
    pid_ = pid;
    for (std::uint32_t number = board_.workers_seats(); number < board_.seats().size(); ++number) {
        task::Seat& seat = board_.seats()[number];
        if (pid == 0) {
            seat.parker.reset();
            seat.stopper.reset();
            seat.index.store(UINT32_MAX, std::memory_order_relaxed);  // of no worker
        }
        seat.pid.store(pid, std::memory_order_relaxed);
        board_.sitter(number).store(pid, std::memory_order_relaxed);
        seat.state.store(pid < 0 ? task::SeatState::vacant : task::SeatState::ready, std::memory_order_release);
    }
    if (pid < 0) { pid_ = 0; }
}

[[noreturn]] PROCPOOL_DECL void CompanionProcess::run(pid_t supervisor) noexcept {
    if (!os::die_with_parent(supervisor)) { os::leave(EXIT_FAILURE); }
    os::lead_group(0);
    os::reset_signal(SIGINT, SIG_IGN);
    os::reset_signal(SIGTERM, SIG_IGN);  // it is told by the board, and has others to tell
    os::unblock_all_signals();
    companion_->run(board_);
    os::leave(EXIT_SUCCESS);
}

PROCPOOL_DECL void CompanionProcess::end(std::chrono::milliseconds grace) noexcept {
    if (!runs()) { return; }
    if (kill_at_ == Clock::time_point::max()) {
        kill_at_ = Deadline::after(grace).when();
        notify();
    } else if (Clock::now() >= kill_at_) {
        signal(SIGKILL);
    }
}

PROCPOOL_DECL void CompanionProcess::signal(int signal) const noexcept {
    if (runs()) { os::signal_group(pid_, signal); }
}

PROCPOOL_DECL void CompanionProcess::settle(Casualties& casualties, const os::EndedChild& ended) noexcept {
    pid_ = 0;
    has_ended_ = true;
    for (std::uint32_t number = board_.workers_seats(); number < board_.seats().size(); ++number) {
        board_.seats()[number].state.store(task::SeatState::vacant, std::memory_order_release);
        board_.sitter(number).store(task::Board::nobody, std::memory_order_relaxed);
        board_.sleeping.remove(number);
        board_.spinning.remove(number);
    }
    // seq_cst: said before the look at the mail; who submits a task for one of its workers looks here when it is there.
    board_.control.companion_ended.store(1, std::memory_order_seq_cst);
    companion_->ended();
    for (std::uint32_t number = board_.workers_seats(); number < board_.seats().size(); ++number) {
        static_cast<void>(casualties.settle(number, ended, companion_->host_of(number - board_.workers_seats())));
        board_.release_for(number);
    }
    lose_mail(casualties);
    board_.queue.mark_all_levels();
    if (!board_.queue.was_empty()) { board_.wake_for_new_task(); }
}

PROCPOOL_DECL void CompanionProcess::lose_mail(Casualties& casualties) noexcept {
    const std::uint32_t all = board_.all_workers();
    for (std::uint32_t index = board_.control.places; index < all; ++index) {
        while (const std::optional<task::Claim> claim = board_.claim_mail(index, board_.workers_seats())) {
            casualties.settle_task(claim->slot, {.worker = {}, .ending = Ending::node_lost});
        }
    }
}

}  // namespace procpool::detail::worker

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client_life.hpp>

#include <procpool/client/failure.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/core/error.hpp>
#include <procpool/log/log_sink.hpp>
#include <procpool/worker/break_pool.hpp>

#include <mutex>
#include <optional>
#include <string>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL void Client::stop(task::Life to) noexcept {
    {
        const std::lock_guard guard{mutex_};  // no submission is between its look at life and its publication
        closing_.store(true, std::memory_order_relaxed);
        if (to > task::Life::closing) { board_.control.advance(to); }
    }
    if (to > task::Life::closing) {
        look_at_life();
    } else {
        close_if_unused();
        board_.notify_parent();  // a submitter that waits for room is refused
    }
}

PROCPOOL_DECL void Client::keep_open(OpenUntil until) {
    const std::lock_guard guard{mutex_};
    if (!is_open()) { throw_ended(); }
    ++(until == OpenUntil::joined ? open_until_join_ : open_for_);
    callers_ += until == OpenUntil::returned ? 1 : 0;
}

PROCPOOL_DECL void Client::let_close(OpenUntil until) noexcept {
    {
        const std::lock_guard guard{mutex_};
        --(until == OpenUntil::joined ? open_until_join_ : open_for_);
        callers_ -= until == OpenUntil::returned ? 1 : 0;
    }
    close_if_unused();
}

/// Effects: makes a pool closing whose close() has been called, once no call keeps it open.
PROCPOOL_DECL void Client::close_if_unused() noexcept {
    {
        const std::lock_guard guard{mutex_};
        const bool used = open_for_ != 0 || (open_until_join_ != 0 && !joined_);
        if (used || !closing_.load(std::memory_order_relaxed) || !board_.control.advance(task::Life::closing)) {
            return;
        }
    }
    look_at_life();
}

/// Effects: applies a new life of the pool: beyond closing, pending tasks are lost; workers, supervisor and waiting
/// threads are notified.
PROCPOOL_DECL void Client::look_at_life() noexcept {
    if (life() > task::Life::closing) {
        board_.lose_all_pending(Ending::terminated);
        if (!crew_->can_kill()) { request_stop_of_all(); }
    }
    board_.wake_all();
    crew_->ring();
    board_.notify_parent();
}

PROCPOOL_DECL bool Client::join(Deadline deadline) {
    {
        const std::lock_guard guard{mutex_};
        joined_ = true;
    }
    close_if_unused();
    if (!crew_->join(deadline)) { return false; }
    check_crew();
    settle_dropped(true);
    log::settle_log();
    return true;
}

PROCPOOL_DECL void Client::resize(std::uint32_t workers) {
    if (!is_open()) { throw_ended(); }
    crew_->resize(workers);
}

PROCPOOL_DECL void Client::refork() {
    if (!is_open()) { throw_ended(); }
    std::optional<os::Modules> modules = os::Modules::loaded_now();
    try {
        crew_->refork();
    } catch (...) {
        check_crew();
        throw;
    }
    check_crew();
    if (life() > task::Life::closing) { throw_ended(); }
    mark_memory();
    const std::lock_guard guard{modules_mutex_};
    if (modules_) { modules_.swap(modules); }
    for (std::atomic<std::uintptr_t>& page : known_pages_) { page.store(0, std::memory_order_relaxed); }
}

/// The supervisor may be gone without having decided the tasks.
PROCPOOL_DECL void Client::check_crew() noexcept {
    if (board_.control.ended.load(std::memory_order_acquire) != 0 || !crew_->has_ended()) { return; }
    if (board_.control.ended.load(std::memory_order_acquire) != 0) { return; }
    {
        const std::lock_guard guard{mutex_};
        worker::break_pool(board_, "the supervisor process was killed", {.pool = board_.control.name.data()});
    }
    board_.lose_all(Ending::broken);
    board_.control.deaths.fetch_add(1, std::memory_order_seq_cst);  // workers and supervisor may have left marks unset
    board_.notify_parent();
}

PROCPOOL_DECL void Client::throw_ended() const { client::throw_ended(board_); }

}  // namespace procpool::detail::client

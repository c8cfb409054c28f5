// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client_collect.hpp>

#include <procpool/codec/exception.hpp>
#include <procpool/os/yield.hpp>

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace procpool::inline v0::detail::client {

/// Effects: gives a decided task's slot to the caller. Returns: the phase that decided it; free when it is not decided,
/// or another thread was faster: the slot may have another task by now.
inline task::Phase Client::try_take(Ticket ticket) noexcept {
    for (;;) {
        const task::Word word = word_of(ticket);
        if (!word.finished() || !board_.is_of_issue(ticket.slot, word)) { return task::Phase::free; }
        std::uint64_t bits = word.bits();
        const std::uint64_t taken = word.with(task::Phase::taken).bits();
        // A word is never the same again once the slot has another task, so the slot is still this one's. acquire: sees
        // the result.
        if (os::is_single_threaded()) {  // no other process changes a finished word; word_of() has acquired it
            slot(ticket.slot).word.store(taken, std::memory_order_relaxed);
        } else if (!slot(ticket.slot).word.compare_exchange_weak(bits, taken, std::memory_order_acq_rel)) {
            continue;
        }
        // Calls the waiters that the worker has not called yet: the slot will have others.
        if (word.waited()) { board_.waiters.call(slot(ticket.slot).waiters, ticket.slot); }
        return word.phase();
    }
}

PROCPOOL_DECL Parcel Client::describe_failure(std::uint32_t index, task::Phase phase) const {
    const task::Slot& task = slot(index);
    auto failure = std::make_unique<Failure>();
    failure->ending = task.ending(phase);
    const task::Word word = word_of(index);
    const bool has_killed = failure->ending == Ending::timed_out || failure->ending == Ending::cancelled ||
                            failure->ending == Ending::memory_exceeded;
    if (phase == task::Phase::lost && (failure->ending == Ending::died || has_killed)) {
        failure->death.pid = task.pid;
        failure->death.status = task.exit_status;
        if (const task::Seat* const seat = board_.seat_of(word.seat())) {  // it keeps the index for some lives
            failure->death.worker = seat->index.load(std::memory_order_relaxed);
        }
    }
    if (failure->ending == Ending::died) {
        failure->death.crash = board_.crashes.of(board_.number_of(index).load(std::memory_order_relaxed));
    } else if (board_.actor.is_one && is_end_of_actor(failure->ending)) {
        failure->death = board_.actor.last_death();
    }
    if (failure->ending == Ending::memory_exceeded) {
        failure->death.excess = {board_.issue(index).excess, board_.control.kill_rss};
    }
    if (failure->ending == Ending::node_lost) { failure->host = crew_->host_of(word.seat()); }
    failure->of_actor = board_.actor.is_one;
    const task::Issue& issue = board_.issue(index);
    if (issue.is_timed()) { failure->timeout = issue.time_limit(); }
    if (issue.has(task::Slot::labelled)) {
        const std::lock_guard guard{label_mutex_};
        failure->label = labels_[index];
    } else if (failure->of_actor && is_end_of_actor(failure->ending)) {
        failure->label = task::text_within(board_.control.name);
    }
    return Parcel{phase, std::move(failure)};
}

PROCPOOL_DECL Taken Client::take(Ticket ticket) {
    const task::Phase phase = try_take(ticket);
    if (phase == task::Phase::free) { return take_elsewhere(ticket); }
    if (slot(ticket.slot).outcome == Ending::exception) [[unlikely]] { shed_if_refused(); }
    return Taken{*this, place_of_, ticket.slot, describe(ticket.slot, phase)};
}

/// Does the work of take() when the task's slot does not say that it is decided.
[[gnu::cold]] PROCPOOL_DECL Taken Client::take_elsewhere(Ticket ticket) {
    for (;;) {
        release_orphans();
        {  // A sweep has taken it out of its slot, or does so now, under this mutex.
            const std::lock_guard guard{mutex_};
            if (Parcel parcel = kept_.take(ticket.serial)) {
                return Taken{*this, place_of_, Taken::in_parcel, std::move(parcel)};
            }
            // Or another task's wild write has made its word say that it is decided: the supervisor decides it soon.
            if (word_of(ticket).phase() == task::Phase::taken || is_overwritten(ticket.slot)) {
                lose_overwritten(ticket.slot);
            }
        }
        if (const task::Phase phase = try_take(ticket); phase != task::Phase::free) {
            return Taken{*this, place_of_, ticket.slot, describe(ticket.slot, phase)};
        }
        check_crew();
        os::nap();
    }
}

PROCPOOL_DECL void Client::release_payloads(std::uint32_t index, task::Phase phase) noexcept {
    if (board_.arguments.is_large(index)) { board_.arguments.release(index); }
    if (phase == task::Phase::lost) {
        board_.results.release_after_death(index, word_of(index).generation());
    } else if (board_.results.is_large(index)) {
        board_.results.release(index);
    }
}

/// Effects: clears the slot of everything but its last task's word. Requires: the slot is taken by the caller.
inline void Client::clear(std::uint32_t index, task::Phase phase) noexcept {
    task::Slot& task = slot(index);
    const task::Word word{task.word.load(std::memory_order_relaxed)};
    if (phase == task::Phase::lost || board_.arguments.is_large(index) || board_.results.is_large(index)) {
        release_payloads(index, phase);
    }
    task.has_extents = false;
    if (word.waited()) { task.waiters.store(0, std::memory_order_relaxed); }  // released by the word
    notes_[index].serial.store(no_serial, std::memory_order_release);
    task.word.store(word.with(task::Phase::free).with_waited(false).bits(), std::memory_order_release);
}

inline void Client::give_back(std::uint32_t index, task::Phase phase) noexcept {
    if (phase != task::Phase::done) [[unlikely]] { return give_back_undone(index, phase); }
    if (!notes_[index].values.empty()) [[unlikely]] { return give_back_with_values(index, phase); }
    clear(index, phase);
    if (mutex_.try_lock_as_owner()) {
        add_free(index);
        mutex_.unlock();
        // A thread that waits for capacity has registered before it revoked the bias and looked at free_.
        board_.notify_capacity_waiter();
        return;
    }
    std::uint32_t top = returned_.load(std::memory_order_relaxed);
    do {
        notes_[index].next = top;
        // seq_cst: pushed before the look at capacity_waiter; wait_for_capacity() registers before it looks here.
    } while (!returned_.compare_exchange_weak(top, index, std::memory_order_seq_cst, std::memory_order_relaxed));
    board_.notify_capacity_waiter();
}

/// Effects: gives back memory that no task has, so that others can have it. Returns: whether there was any.
/// Requires: the lock is held.
[[gnu::cold]] PROCPOOL_DECL bool Client::shed() noexcept {
    constexpr std::uint64_t nobody = task::Extents::stamp(0x3ffffffe, 0);  // of no slot that there is
    bool any = board_.arguments.extents().shed(nobody);
    any = board_.results.extents().shed(nobody) || any;
    take_returned();
    for (std::uint32_t index = free_; index != no_slot; index = notes_[index].next) {
        any = board_.arguments.shed_window(index) || any;
        any = board_.results.shed_window(index) || any;
    }
    return any;
}

/// Effects: frees memory for the next result, if a worker has found none for one.
[[gnu::noinline, gnu::cold]] PROCPOOL_DECL void Client::shed_if_refused() noexcept {
    if (!board_.results.extents().budget().take_refusal()) { return; }
    const std::lock_guard guard{mutex_};
    shed();
}

PROCPOOL_DECL std::exception_ptr Taken::error(std::optional<std::size_t> item) const {
    return error_of(*failure(), item,
                    client_ != nullptr ? client_->board().from_workers.reason() : std::string_view{failure()->reason});
}

PROCPOOL_DECL void Taken::require_value() const {
    if (phase() != task::Phase::done) { std::rethrow_exception(error()); }
    if (ending() == Ending::exception) {
        Reader in = reader();
        std::rethrow_exception(codec::decode_exception(in));
    }
}

PROCPOOL_DECL std::span<const std::byte> Taken::bytes() const noexcept {
    return slot_ == in_parcel ? parcel_.bytes() : client_->board().results.payload(slot_);
}

PROCPOOL_DECL std::span<const std::byte> Taken::arguments() const noexcept {
    return slot_ != in_parcel ? client_->board().arguments.payload(slot_) : std::span<const std::byte>{};
}

PROCPOOL_DECL void Taken::give_back() noexcept { client_->give_back(slot_, parcel_.phase()); }

}  // namespace procpool::detail::client

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client_audit.hpp>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <new>
#include <optional>
#include <vector>

namespace procpool::inline v0::detail::client {

/// Effects: repairs the damage of another task's wild writes to a pending or running task, or makes that task alone
/// lost: a pending task is offered to workers that look, and a task whose word no process will ever change is lost,
/// soon. Only where workers have memory of their own: elsewhere a task can write anywhere.
[[gnu::cold]] PROCPOOL_DECL void Client::audit() noexcept {
    constexpr std::int64_t seldom = std::chrono::nanoseconds{std::chrono::milliseconds{200}}.count();
    if (!crew_->can_kill()) { return; }
    const std::int64_t now = Clock::now().time_since_epoch().count();
    std::int64_t due = next_audit_.load(std::memory_order_relaxed);
    if (now < due || !next_audit_.compare_exchange_strong(due, now + seldom, std::memory_order_relaxed)) { return; }
    const bool has_waited = now - due < 5 * seldom;  // any thread, since the last call
    if (!has_waited) { return; }
    const bool is_odd = is_something_odd();
    {
        const std::lock_guard guard{mutex_};
        if (!linked_.empty()) { settle_forgotten(); }
        if (!is_odd) { return; }
        board_.mend_queue();
        for (std::uint32_t index = 0; index < board_.used_slots().size(); ++index) {
            if (is_overwritten(index)) { lose_overwritten(index); }
        }
        try {
            offer_forgotten();
        } catch (const std::bad_alloc&) {  // later
        }
    }
    board_.rouse_workers();
    board_.control.audits.fetch_add(1, std::memory_order_seq_cst);
    crew_->ring();
}

/// Whether a look at everything might find that a task has overwritten something. A no is certain where nothing changes
/// any more; a right pool says yes while it has fewer workers than tasks, for a moment.
[[gnu::cold]] PROCPOOL_DECL bool Client::is_something_odd() const noexcept {
    std::uint32_t started = 0;
    bool is_pending = false;
    for (std::uint32_t index = 0; index < board_.used_slots().size(); ++index) {
        if (notes_[index].serial.load(std::memory_order_relaxed) == no_serial) { continue; }
        if (is_overwritten(index)) { return true; }
        const task::Word word = word_of(index);
        is_pending = is_pending || word.has_not_started();
        if (word.phase() != task::Phase::started) { continue; }
        const task::Seat* const seat = board_.seat_of(word.seat());
        if (seat == nullptr || seat->state.load(std::memory_order_relaxed) == task::SeatState::vacant) { return true; }
        if (board_.is_companions(word.seat())) { continue; }  // which counts no single task
        const std::uint32_t current = seat->current.load(std::memory_order_relaxed);
        // Within a task that waits its worker runs tasks of guests.
        if (current != index + 1 && !board_.guests.hold(current - 1)) { return true; }
        ++started;
    }
    return is_pending && started < board_.control.workers;
}

/// Whether the word of a task that has not been given back cannot be its own. Requires, for a yes that is certain:
/// mutex_ is held.
[[gnu::cold]] PROCPOOL_DECL bool Client::is_overwritten(std::uint32_t index) const noexcept {
    // acquire: clear() takes the number away before it makes the word free, and mutex_ keeps the next number from
    // coming before its word.
    const std::uint64_t serial = notes_[index].serial.load(std::memory_order_acquire);
    return serial != no_serial && !board_.is_plausible(index, word_of(index)) &&
           notes_[index].serial.load(std::memory_order_acquire) == serial;
}

/// Effects: marks the task in this slot, whose word cannot be its own, to be lost soon. Requires: mutex_ is held.
[[gnu::cold]] PROCPOOL_DECL void Client::lose_overwritten(std::uint32_t index) noexcept {
    board_.mark_overwritten(index);
    if (!crew_->can_kill() || crew_->has_ended()) {
        board_.lose_overwritten(index);
    } else {
        board_.control.audits.fetch_add(1, std::memory_order_seq_cst);
        crew_->ring();
    }
}

/// Effects: frees what decided tasks had pinned that miss something for no other reason than that a task has written
/// it: all that they depended on is decided too. Requires: mutex_ is held.
[[gnu::cold]] PROCPOOL_DECL void Client::settle_forgotten() noexcept {
    for (const LinkedTask& one : linked_) {
        if (!is_decided(one.ticket)) { continue; }
        bool all_are_decided = true;
        for (std::uint32_t name = one.first_edge; name != 0; name = task::Edge::get(edge(name).sibling)) {
            all_are_decided = all_are_decided && !word_of(task::Edge::get(edge(name).dependency)).is_undecided();
        }
        if (all_are_decided) {
            board_.settle_forgotten(one.ticket.slot, static_cast<std::uint32_t>(one.ticket.serial));
        }
    }
    free_settled(true);
}

/// Effects: gives an entry to each pending task that no entry of the queue or the mail offers, at its head or later.
/// The supervisor may be about to put one there: that entry is stale then. A task that loses its entry again and again
/// has been claimed, and a wild write has made it pending: it is lost. Requires: mutex_ is held. Throws:
/// std::bad_alloc.
[[gnu::cold]] PROCPOOL_DECL void Client::offer_forgotten() {
    std::vector<bool> is_offered(board_.used_slots().size());
    const auto note_offer = [&](std::optional<task::Offer> offer) {
        if (offer && offer->slot < is_offered.size() && word_of(offer->slot).generation() == offer->generation) {
            is_offered[offer->slot] = true;
        }
    };
    const auto note_ring = [&](const task::Ring& ring) {
        for (std::uint64_t position = std::max(ring.head(), ring.oldest()); position < ring.tail(); ++position) {
            note_offer(ring.at(position));
        }
    };
    for (std::uint32_t level = 0; level < task::Queue::levels; ++level) { note_ring(board_.queue.ring(level)); }
    for (std::uint32_t worker = 0; worker < board_.all_places(); ++worker) {
        note_ring(board_.mail(worker));
        note_offer(board_.mailboxes()[worker].look());
    }
    for (std::uint32_t index = 0; index < is_offered.size(); ++index) {
        const task::Word word = word_of(index);
        if (board_.is_forgotten(index)) { board_.release_forgotten(index); }
        if (is_offered[index] || word.phase() != task::Phase::pending || !board_.is_plausible(index, word)) {
            continue;
        }
        const std::uint32_t place = board_.issue(index).place.load(std::memory_order_relaxed);
        if ((place & (task::Issue::mailed | task::Issue::linked)) == task::Issue::linked) {
            board_.queue.add_ready(place & ~task::Issue::linked, index);
            continue;
        }
        const task::Offer offer{index, word.generation()};
        if (board_.issue(index).again == offer.generation) {
            lose_overwritten(index);
            continue;
        }
        const bool mailed = (place & task::Issue::mailed) != 0;
        const std::uint32_t worker = place & ~task::Issue::mailed;
        task::Ring& ring = mailed ? board_.mail(worker) : board_.queue.ring(place);
        const task::Offer again{index, next_generation()};
        if ((!ring.is_full() || make_room(ring)) && board_.take_from_ring(offer, again.generation)) {
            board_.issue(index).again = again.generation;
            mailed ? board_.deliver(worker, again) : board_.queue.push(place, again);
        }
    }
}

}  // namespace procpool::detail::client

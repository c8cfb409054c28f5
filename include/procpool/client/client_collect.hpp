// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: waiting for tasks and taking their results.

#include <procpool/client/callback_loop.hpp>
#include <procpool/client/client.hpp>

#include <algorithm>
#include <new>
#include <vector>

namespace procpool::inline v0::detail::client {

/// Then a waiting thread sees whether those who should wake it still live.
inline constexpr std::chrono::milliseconds longest_sleep{100};

/// Looks for about as long as going to sleep and being woken would cost. Returns: whether `ready()`.
template <class Ready>
bool Client::spin(Ready ready, Deadline deadline) {
    for (int round = 0; round < os::spin_rounds; ++round) {
        for (int i = 0; i < os::looks_per_round; ++i) {
            if (ready()) { return true; }
            relax();
        }
        if (deadline.passed()) { return false; }
        os::yield();  // a worker may need this very processor
    }
    return false;
}

/// As spin(), for one task. Each look takes the slot's line from the worker that is about to write there, and it has to
/// get it back: so none is taken while the task is not expected to have ended, going by the last ones.
inline bool Client::spin_for(Ticket ticket, Deadline deadline) {
    constexpr int longest = 32;
    const int pause = pause_.load(std::memory_order_relaxed);  // a guess, and any thread's is as good
    for (int i = 0; i < pause; ++i) { relax(); }
    int looks = 0;
    const bool found = spin([&] { return ++looks, is_decided(ticket); }, deadline);
    const int next = looks == 1 ? pause - (pause + 7) / 8 : std::min(longest, pause + looks / 2);
    pause_.store(looks <= os::looks_per_round ? next : 0, std::memory_order_relaxed);
    return found;
}

inline bool Client::wait_longer(Ticket ticket, Deadline deadline) {
    if (spin_for(ticket, deadline)) { return true; }
    const auto decided = [&] { return is_decided(ticket); };
    if (CallbackLoop* const loop = callback_loop()) { return loop->wait(*this, ticket, deadline); }
    while (!decided()) {
        if (deadline.passed()) { return false; }
        if (deadline.is_never() && crew_->run_awaited(ticket.slot, word_of(ticket))) { continue; }
        const Deadline next = deadline.or_sooner(Deadline::after(longest_sleep));
        const Parkers::Lease lease = parkers_.lease();
        if (lease) { board_.wait_for(ticket.slot, lease.index()); }
        const Crew::Waiting waiting{crew_at_work()};
        if (!decided()) { lease.park(next); }
        if (!decided()) { after_long_sleep(); }
    }
    return true;
}

template <class Ready>
bool Client::wait_on(const Parkers::Lease& lease, Ready ready, Deadline deadline, bool soon) {
    if (soon && spin(ready, deadline)) { return true; }
    CallbackLoop* const loop = callback_loop();
    while (!ready()) {
        if (deadline.passed()) { return false; }
        if (loop != nullptr && loop->run_one()) { continue; }
        if (lease && crew_->run_awaited_by(lease.index())) { continue; }
        const Crew::Waiting waiting{crew_at_work()};
        // What wakes the loop does not wake this lease.
        lease.park(deadline.or_sooner(Deadline::after(loop != nullptr ? std::chrono::milliseconds{1} : longest_sleep)));
        if (!ready()) { after_long_sleep(); }
    }
    return true;
}

inline void Client::after_long_sleep() noexcept {
    check_crew();
    // A worker that said it would look for work may have been stopped before it did.
    if (!board_.queue.was_empty()) { board_.wake_one(); }
    audit();
}

/// Whether the word of a task that has not been given back cannot be its own. Requires, for a yes that is certain:
/// mutex_ is held.
[[gnu::cold]] inline bool Client::is_overwritten(std::uint32_t index) const noexcept {
    // acquire: clear() takes the number away before it makes the word free, and mutex_ keeps the next number from
    // coming before its word.
    const std::uint64_t serial = holders_[index].serial.load(std::memory_order_acquire);
    return serial != no_serial && !board_.is_plausible(index, word_of(index)) &&
           holders_[index].serial.load(std::memory_order_acquire) == serial;
}

/// Whether a look at everything might find that a task has overwritten something. A no is certain where nothing changes
/// any more; a right pool says yes while it has fewer workers than tasks, for a moment.
[[gnu::cold]] inline bool Client::is_something_odd() const noexcept {
    std::uint32_t started = 0;
    bool is_pending = false;
    for (std::uint32_t index = 0; index < board_.used_slots().size(); ++index) {
        if (holders_[index].serial.load(std::memory_order_relaxed) == no_serial) { continue; }
        if (is_overwritten(index)) { return true; }
        const task::Word word = word_of(index);
        is_pending = is_pending || word.phase() == task::Phase::pending;
        if (word.phase() != task::Phase::started) { continue; }
        const task::Seat* const seat = board_.seat_of(word.seat());
        if (seat == nullptr || seat->state.load(std::memory_order_relaxed) == task::SeatState::vacant ||
            seat->current.load(std::memory_order_relaxed) != index + 1) {
            return true;
        }
        ++started;
    }
    return is_pending && started < board_.control.workers;
}

/// Effects: what another task's wild writes have done to a task that waits or runs is undone, or costs it, but no more:
/// a pending task is offered to workers that look, and one whose word nobody will ever change is lost, soon. Only where
/// workers have memory of their own: elsewhere a task can write anywhere.
[[gnu::cold]] inline void Client::audit() noexcept {
    constexpr std::int64_t seldom = std::chrono::nanoseconds{std::chrono::milliseconds{200}}.count();
    if (!crew_->can_kill()) { return; }
    const std::int64_t now = Clock::now().time_since_epoch().count();
    std::int64_t due = next_audit_.load(std::memory_order_relaxed);
    if (now < due || !next_audit_.compare_exchange_strong(due, now + seldom, std::memory_order_relaxed)) { return; }
    const bool has_waited = now - due < 5 * seldom;  // somebody, since the last call
    if (!has_waited || !is_something_odd()) { return; }
    {
        const std::lock_guard guard{mutex_};
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

/// Effects: the task in this slot, whose word cannot be its own, is lost, soon. Requires: mutex_ is held.
[[gnu::cold]] inline void Client::lose_overwritten(std::uint32_t index) noexcept {
    board_.mark_overwritten(index);
    if (!crew_->can_kill() || crew_->has_ended()) {
        board_.lose_overwritten(index);
    } else {
        board_.control.audits.fetch_add(1, std::memory_order_seq_cst);
        crew_->ring();
    }
}

/// Effects: pending tasks that no entry of the queue offers, at its head or later, have one. It is no matter if the
/// supervisor was about to put one there: that entry is no longer good then. One that gets lost again and again has
/// been claimed, and something has made it pending: it is lost. Requires: mutex_ is held. Throws: std::bad_alloc.
[[gnu::cold]] inline void Client::offer_forgotten() {
    std::vector<bool> is_offered(board_.used_slots().size());
    for (std::uint32_t level = 0; level < task::Queue::levels; ++level) {
        const task::Ring& ring = board_.queue.ring(level);
        for (std::uint64_t position = std::max(ring.head(), ring.oldest()); position < ring.tail(); ++position) {
            const std::optional<task::Offer> offer = ring.at(position);
            if (offer && offer->slot < is_offered.size() && word_of(offer->slot).generation() == offer->generation) {
                is_offered[offer->slot] = true;
            }
        }
    }
    for (std::uint32_t index = 0; index < is_offered.size(); ++index) {
        const task::Word word = word_of(index);
        if (is_offered[index] || word.phase() != task::Phase::pending || !board_.is_plausible(index, word)) {
            continue;
        }
        const task::Offer offer{index, word.generation()};
        if (board_.issue(index).again == offer.generation) {
            lose_overwritten(index);
            continue;
        }
        const std::uint32_t place = board_.issue(index).place.load(std::memory_order_relaxed);
        if ((place & task::Issue::mailed) != 0) {
            board_.mailboxes()[place & ~task::Issue::mailed].put(offer);  // where it is, most likely
            continue;
        }
        task::Ring& ring = board_.queue.ring(place);
        const task::Offer again{index, next_generation()};
        if ((!ring.is_full() || make_room(ring)) && board_.take_from_ring(offer, again.generation)) {
            board_.issue(index).again = again.generation;
            board_.queue.push(place, again);
        }
    }
}

/// Effects: a decided task's slot belongs to the caller. Returns: how it was decided; free when it is not, or another
/// thread was faster: the slot may have another task by now.
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
        // Waiters whose worker has not got to call them yet are called here: the slot will have others.
        if (word.waited()) { board_.waiters.call(slot(ticket.slot).waiters, ticket.slot); }
        return word.phase();
    }
}

inline Parcel Client::describe_failure(std::uint32_t index, task::Phase phase) const {
    const task::Slot& task = slot(index);
    auto failure = std::make_unique<Failure>();
    failure->ending = task.ending(phase);
    if (failure->ending == Ending::died) {
        failure->death = {task.pid, task.exit_status,
                          board_.crashes.of(board_.number_of(index).load(std::memory_order_relaxed))};
    }
    const task::Issue& issue = board_.issue(index);
    if (issue.is_timed()) { failure->timeout = issue.time_limit(); }
    if (issue.has(task::Slot::labelled)) {
        const std::lock_guard guard{label_mutex_};
        failure->label = labels_[index];
    }
    return Parcel{phase, std::move(failure)};
}

inline Client::Taken Client::take(Ticket ticket) {
    const task::Phase phase = try_take(ticket);
    if (phase == task::Phase::free) { return take_elsewhere(ticket); }
    if (slot(ticket.slot).outcome == Ending::exception) [[unlikely]] { shed_if_refused(); }
    return Taken{*this, ticket.slot, describe(ticket.slot, phase)};
}

/// As take(), when the task's slot does not say that it is decided.
[[gnu::cold]] inline Client::Taken Client::take_elsewhere(Ticket ticket) {
    for (;;) {
        {  // A sweep has taken it out of its slot, or does so now, under this mutex.
            const std::lock_guard guard{mutex_};
            if (Parcel parcel = kept_.take(ticket.serial)) { return Taken{*this, Taken::in_parcel, std::move(parcel)}; }
            // Or another task has written into its word, which says that it is decided: it is, soon.
            if (word_of(ticket).phase() == task::Phase::taken || is_overwritten(ticket.slot)) {
                lose_overwritten(ticket.slot);
            }
        }
        if (const task::Phase phase = try_take(ticket); phase != task::Phase::free) {
            return Taken{*this, ticket.slot, describe(ticket.slot, phase)};
        }
        check_crew();
        os::nap();
    }
}

inline void Client::drop(Ticket ticket) noexcept {
    if (holders_[ticket.slot].serial.load(std::memory_order_acquire) == ticket.serial) {
        // seq_cst: marked before the look at the word; a sweep takes the word before it looks at the mark. The slot may
        // have another task by now, which may have been dropped too: the mark is a number, and does not go back.
        std::uint64_t mark = holders_[ticket.slot].dropped.load(std::memory_order_relaxed);
        while (mark <= ticket.serial && !holders_[ticket.slot].dropped.compare_exchange_weak(
                                            mark, ticket.serial + 1, std::memory_order_seq_cst)) {}
        const task::Word word{slot(ticket.slot).word.load(std::memory_order_seq_cst)};
        const bool ours = holders_[ticket.slot].serial.load(std::memory_order_acquire) == ticket.serial;
        if (ours && (word.phase() == task::Phase::pending || word.phase() == task::Phase::started)) {
            const std::lock_guard guard{mutex_};
            // At most one for each slot counts; others are stale. Without room for it a sweep frees the slot, later.
            if (detached_.size() < detached_.capacity()) { detached_.push_back(ticket); }
            return;
        }
        if (const task::Phase phase = try_take(ticket); phase != task::Phase::free) {
            give_back(ticket.slot, phase);
            return;
        }
    }
    const std::lock_guard guard{mutex_};
    static_cast<void>(kept_.take(ticket.serial));
}

inline bool Client::withdraw(Ticket ticket) noexcept {
    for (;;) {
        const task::Word word = word_of(ticket);
        if (word.phase() != task::Phase::pending) { return false; }
        // It fails when the task starts meanwhile, or got another generation in make_room().
        if (board_.withdraw(ticket.slot, word.generation())) {
            cancelled_.fetch_add(1, std::memory_order_relaxed);
            return true;
        }
    }
}

inline void Client::request_stop(Ticket ticket) noexcept {
    // The request first: if the slot is still the ticket's afterwards, nobody has asked its next task to stop yet, and
    // that request stays.
    const std::uint64_t seen = slot(ticket.slot).stop_request.load(std::memory_order_acquire);
    board_.request_stop(ticket.slot, word_of(ticket), ticket.serial, seen);
}

inline void Client::request_stop_of_all() noexcept {
    for (std::uint32_t index = 0; index < board_.used_slots().size(); ++index) {
        board_.request_stop_if(index, [](task::Word) { return true; });
    }
}

inline bool Client::kill(Ticket ticket) noexcept {
    for (;;) {
        if (withdraw(ticket)) { return true; }
        const task::Word word = word_of(ticket);
        if (word.phase() == task::Phase::pending) { continue; }  // it was requeued between
        if (word.phase() != task::Phase::started) { return false; }
        if (word.is_condemned() && word.verdict() == Ending::cancelled) { return true; }
        if (!crew_->can_kill()) {
            request_stop(ticket);
            return true;
        }
        if (board_.condemn(ticket.slot, word.generation(), Ending::cancelled)) {
            cancelled_.fetch_add(1, std::memory_order_relaxed);
            crew_->ring();
            return true;
        }
    }
}

inline void Client::release_payloads(std::uint32_t index, task::Phase phase) noexcept {
    if (board_.arguments.is_large(index)) { board_.arguments.release(index); }
    if (phase == task::Phase::lost) {
        board_.results.release_after_death(index, word_of(index).generation());
    } else if (board_.results.is_large(index)) {
        board_.results.release(index);
    }
}

/// Effects: nothing of the slot's last task is left but its word. Requires: the slot is taken by the caller.
inline void Client::clear(std::uint32_t index, task::Phase phase) noexcept {
    task::Slot& task = slot(index);
    const task::Word word{task.word.load(std::memory_order_relaxed)};
    if (phase == task::Phase::lost || board_.arguments.is_large(index) || board_.results.is_large(index)) {
        release_payloads(index, phase);
    }
    task.has_extents = false;
    if (word.waited()) { task.waiters.store(0, std::memory_order_relaxed); }  // released by the word
    holders_[index].serial.store(no_serial, std::memory_order_release);
    task.word.store(word.with(task::Phase::free).with_waited(false).bits(), std::memory_order_release);
}

inline void Client::give_back(std::uint32_t index, task::Phase phase) noexcept {
    clear(index, phase);
    if (mutex_.try_lock_as_favourite()) {
        add_free(index);
        mutex_.unlock();
        // Who waits for capacity has registered before it took the favour away and looked at free_.
        board_.notify_capacity_waiter();
        return;
    }
    std::uint32_t top = returned_.load(std::memory_order_relaxed);
    do {
        holders_[index].next = top;
        // seq_cst: pushed before the look at capacity_waiter; wait_for_capacity() registers before it looks here.
    } while (!returned_.compare_exchange_weak(top, index, std::memory_order_seq_cst, std::memory_order_relaxed));
    board_.notify_capacity_waiter();
}

/// Effects: memory that no task has is given back, so that others can have it. Returns: whether there was any.
/// Requires: the lock is held.
[[gnu::cold]] inline bool Client::shed() noexcept {
    constexpr std::uint64_t nobody = task::Extents::stamp(0x7ffffffe, 0);  // of no slot that there is
    bool any = board_.arguments.extents().shed(nobody);
    any = board_.results.extents().shed(nobody) || any;
    take_returned();
    for (std::uint32_t index = free_; index != no_slot; index = holders_[index].next) {
        any = board_.arguments.shed_window(index) || any;
        any = board_.results.shed_window(index) || any;
    }
    return any;
}

/// Effects: if a worker has had no memory for a result, the next one may have some.
[[gnu::noinline, gnu::cold]] inline void Client::shed_if_refused() noexcept {
    if (!board_.results.extents().budget().take_refusal()) { return; }
    const std::lock_guard guard{mutex_};
    shed();
}

}  // namespace procpool::detail::client

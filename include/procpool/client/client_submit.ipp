// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client_submit.hpp>

#include <procpool/client/listed_references.hpp>
#include <procpool/core/deadlock.hpp>
#include <procpool/core/error.hpp>
#include <procpool/os/yield.hpp>

#include <algorithm>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL std::span<std::byte> Client::Growth::grow(void* self, std::span<std::byte> current, std::size_t used,
                                                        std::size_t need) {
    auto& [client, index, locked] = *static_cast<Growth*>(self);
    try {
        return client.board_.arguments.grow(index, 0, current, used, need);
    } catch (const SharedMemoryExhausted&) {
        const Lock guard = locked ? Lock{} : Lock{client.mutex_};
        if (!client.shed()) { throw; }
    }
    return client.board_.arguments.grow(index, 0, current, used, need);
}

PROCPOOL_DECL std::optional<Ticket> Client::submit(const Submission& submission, Encode encode) {
    check_code(reinterpret_cast<std::uintptr_t>(submission.code));
    std::unique_lock lock{mutex_};
    const std::uint32_t index = acquire(lock, submission);
    if (index == no_slot) { return std::nullopt; }
    if (!submission.plain) { lock.unlock(); }  // encoding runs the user's code, which may take long, throw, or submit

    Growth growth{*this, index, submission.plain};
    Writer out{board_.arguments.first_buffer(index), Growth::grow, &growth, place_of_};
    Encoded encoded;
    try {
        if (submission.plain) {
            encode(out);
            encoded.size = out.size();
        } else {
            const Encoding inner{*this, out, notes_[index].values};
            encode(out);
            encoded = end_arguments(out, inner);
        }
    } catch (...) {
        const PinnedValues gone{std::move(notes_[index].values)};
        board_.arguments.abandon(index, out.buffer());
        if (!lock.owns_lock()) { lock.lock(); }
        add_free(index);
        lock.unlock();
        board_.notify_capacity_waiter();
        throw;
    }
    board_.arguments.seal(index, out.buffer(), encoded.size);
    if (!lock.owns_lock()) {
        lock.lock();
        if (!accepts(submission)) {
            const PinnedValues gone{std::move(notes_[index].values)};
            board_.arguments.release(index);
            add_free(index);
            lock.unlock();
            throw_ended();
        }
        // Other threads may have filled the ring meanwhile. There are twice as many places as slots.
        if (task::Ring& ring = ring_for(submission); ring.is_full()) { static_cast<void>(make_room(ring)); }
    }
    return publish(lock, index, submission, encoded.traits);
}

/// Effects: a companion will find what the arguments refer to.
inline Client::Encoded Client::end_arguments(Writer& out, const Encoding& arguments) {
    const std::size_t size = out.size();
    const bool refers = !arguments.values().empty() || arguments.common().number != 0;
    if (!refers || !board_.has_companion() || size <= task::Slot::inline_bytes) [[likely]] { return {size, 0}; }
    list_references(out, *this, arguments);
    return {size, task::Slot::listing};
}

/// Returns: a free slot, or no_slot when there is none and the caller has no patience. Requires: the lock is held; it
/// may be released between.
inline std::uint32_t Client::acquire(Lock& lock, const Submission& submission) {
    task::Ring& ring = ring_for(submission);
    for (int attempt = 0;; ++attempt) {
        if (!detached_.empty()) { free_dropped(lock); }
        if (is_unsettled_) [[unlikely]] { settle(lock); }
        if (!accepts(submission)) { throw_ended(); }
        // Large arguments go where the last ones were, which is still in cache; for others a look each time would cost
        // more.
        if (free_ == no_slot || !submission.plain) { take_returned(); }
        if ((free_ != no_slot || take_fresh() || sweep()) && (!ring.is_full() || make_room(ring))) {
            const std::uint32_t index = std::exchange(free_, notes_[free_].next);
            if (free_ != no_slot) { prefetch_for_write(&slot(free_)); }
            return index;
        }
        if (submission.patience == Patience::try_once) { return no_slot; }
        lock.unlock();
        constexpr int looks_before_sleep = 100;
        if (attempt == 0 && Encoding::slots_of(*this) == notes_.size()) {
            core::throw_deadlock(
                "procpool: what encodes an argument, or an input that a call over many items reads, needs room in the "
                "pool's queue, and has all of it");
        }
        if (attempt < looks_before_sleep) {
            for (int i = 0; i < 32; ++i) { relax(); }
            os::yield();
        } else {
            wait_for_capacity(submission);
        }
        lock.lock();
    }
}

/// Effects: takes one more slot into use: memory is touched as it is needed. Returns: false when all are in use.
/// Throws: SharedMemoryExhausted. Requires: the lock is held.
inline bool Client::take_fresh() {
    if (fresh_ == notes_.size()) { return false; }
    constexpr std::uint32_t together = 64;
    constexpr std::size_t bytes = sizeof(task::Slot) + task::ArgumentStore::pocket_bytes +
                                  task::ResultStore::pocket_bytes + sizeof(task::TaskLabel) + sizeof(SlotNotes) +
                                  2 * sizeof(std::uint64_t);  // and two places in a ring
    if (fresh_ % together == 0) { os::own_budget.charge(together * bytes); }
    add_free(fresh_++);
    return true;
}

/// Effects: moves the slots that were given back to the free list, the last one on top. Requires: the lock is held.
inline void Client::take_returned() noexcept {
    if (returned_.load(std::memory_order_relaxed) == no_slot) { return; }
    // acquire: sees what give_back() did to the slots before it pushed them.
    const std::uint32_t top = returned_.exchange(no_slot, std::memory_order_acquire);
    if (free_ != no_slot) {
        std::uint32_t bottom = top;
        while (notes_[bottom].next != no_slot) { bottom = notes_[bottom].next; }
        notes_[bottom].next = free_;
    }
    free_ = top;
}

/// Effects: drops the offers of a full ring that are no longer good, which cancelled tasks leave behind: every task
/// that is still pending moves to the end, in the same order. Requires: mutex_ is held.
[[gnu::cold]] PROCPOOL_DECL bool Client::make_room(task::Ring& ring) noexcept {
    const std::uint64_t end = ring.tail();
    for (std::uint64_t position = ring.mend(); position < end; ++position) {
        const std::optional<task::Offer> offer = ring.at(position);
        if (!offer) { continue; }
        const task::Offer moved{offer->slot, next_generation()};
        const bool was_pending = board_.take_from_ring(*offer, moved.generation);
        ring.advance_past(position);
        if (was_pending) { ring.push(moved); }
    }
    return !ring.is_full();
}

template <bool is_linked>
inline Ticket Client::publish(Lock& lock, std::uint32_t index, const Submission& submission, std::uint8_t more_traits,
                              [[maybe_unused]] Edges edges) {
    task::Slot& task = slot(index);
    task::Issue& issue = board_.issue(index);
    task.code = reinterpret_cast<std::uintptr_t>(submission.code);
    task.result_bytes = 0;  // a worker that dies in the middle of many items must not leave the last task's
    const bool limited = submission.timeout.count() > 0 || submission.retries > 0;
    if (limited) {  // most tasks do without the second line
        issue.timeout.store(std::max<std::int64_t>(0, submission.timeout.count()), std::memory_order_relaxed);
        issue.retries = static_cast<std::uint16_t>(std::min<std::uint32_t>(submission.retries, UINT16_MAX));
        task.attempt = submission.attempt;
    }
    const bool labelled = !submission.label.empty();
    int traits = more_traits | (limited ? task::Slot::limited : 0) | (labelled ? task::Slot::labelled : 0) |
                 (submission.worker != Submission::any_worker ? task::Slot::mailed : 0) |
                 (submission.keeps_slot ? task::Slot::staying : 0);
    if (labelled) {
        board_.label(index).set(submission.label);
        const std::lock_guard guard{label_mutex_};
        labels_.resize(notes_.size());
        labels_[index] = submission.label;
    }
    notes_[index].keeps_slot = submission.keeps_slot;
    const bool waited = submission.waiter != Submission::no_waiter;
    if (waited) { board_.waiters.assign(task.waiters, submission.waiter); }
    // The deadline comes before the publication: the task may start at once.
    const Deadline expires = submission.timeout.count() > 0 ? Deadline::after(submission.timeout) : Deadline::never();
    const std::uint64_t serial = static_cast<std::uint64_t>(++issued_);
    if (observer_.looks_at(serial)) [[unlikely]] { traits |= observer_.look_at(serial, board_, index); }
    task.traits.store(static_cast<std::uint8_t>(traits), std::memory_order_relaxed);
    issue.traits.store(static_cast<std::uint8_t>(traits), std::memory_order_relaxed);
    const std::uint32_t generation = next_generation();
    submitted_.store(serial, std::memory_order_relaxed);
    notes_[index].serial.store(serial, std::memory_order_release);
    const bool for_one = submission.worker != Submission::any_worker;
    if constexpr (is_linked) {
        linked_.back().ticket = {serial, index};
        for (std::uint32_t name = edges.first; name != 0; name = task::Edge::get(edge(name).sibling)) {
            task::Edge::set(edge(name).dependant_number, static_cast<std::uint32_t>(serial));
        }
        board_.publish_blocked({index, generation}, task::Queue::level_of(submission.priority), waited, edges.first,
                               edges.count);
    } else if (for_one) {
        if (task::Ring& mail = board_.mail(submission.worker); mail.is_full()) { static_cast<void>(make_room(mail)); }
        board_.publish_to(submission.worker, {index, generation}, waited);
    } else {
        board_.publish({index, generation}, task::Queue::level_of(submission.priority), waited);
    }
    lock.unlock();
    // The pool may have been broken since life was looked at. seq_cst: published before this look; a thread that ends
    // the pool moves life first and then looks at the words, so one of the two decides the task.
    if (life() > task::Life::closing) { board_.lose_pending(index, generation, task::ending_by(life())); }
    if constexpr (is_linked) {
        board_.wake_for_ready();
    } else if (for_one) {
        board_.wake_for_mail(submission.worker);
        // seq_cst: published before this look; the supervisor writes this and then looks at the mail.
        if (submission.worker >= board_.control.places &&
            board_.control.companion_ended.load(std::memory_order_seq_cst) != 0) {
            board_.control.casualties.fetch_add(1, std::memory_order_relaxed);
            if (!board_.lose_pending(index, generation, Ending::node_lost)) {
                board_.control.casualties.fetch_sub(1, std::memory_order_relaxed);  // its supervisor counts it
            }
        }
    } else {
        board_.wake_for_new_task();
    }
    if (submission.timeout.count() > 0) { arm(expires); }
    crew_->run_here();
    return {serial, index};
}

/// Effects: makes sure that the deadlines are looked at in time for a published task that expires then at the earliest.
inline void Client::arm(Deadline expires) noexcept {
    // seq_cst: published before this look; the supervisor writes `armed` and then looks at the slots.
    if (expires.when().time_since_epoch().count() < board_.control.armed.load(std::memory_order_seq_cst)) {
        crew_->ring();
    }
}

/// Blocks until a slot may have become free, the pool's life has moved, or a while has passed.
PROCPOOL_DECL void Client::wait_for_capacity(const Submission& submission) {
    if (crew_->make_room()) { return; }
    const std::lock_guard guard{capacity_mutex_};
    const Parkers::Lease lease = parkers_.lease();
    if (lease) { board_.from_workers.set_capacity_waiter(lease.index() + 1); }
    const auto something_to_do = [&] {
        const std::lock_guard look{mutex_};
        if (!accepts(submission) || free_ != no_slot || returned_.load(std::memory_order_seq_cst) != no_slot) {
            return true;
        }
        for (std::uint32_t index = 0; index < board_.used_slots().size(); ++index) {
            if (task::Word{slot(index).word.load(std::memory_order_seq_cst)}.finished() && may_leave(index)) {
                return true;
            }
        }
        if (!linked_.empty()) { free_settled(true); }
        return free_ != no_slot;
    };
    if (!something_to_do()) {
        lease.park(Deadline::after(std::chrono::milliseconds{100}));
        after_long_sleep();
    }
    board_.from_workers.set_capacity_waiter(0);
}

/// Effects: frees slots whose tasks are decided; results that may still be collected are kept elsewhere. Returns:
/// whether there is a free slot now. Requires: mutex_ is held.
PROCPOOL_DECL bool Client::sweep() {
    constexpr std::uint32_t enough = 256;
    const auto count = static_cast<std::uint32_t>(notes_.size());
    for (std::uint32_t looked = 0, found = 0; looked < count && found < enough; ++looked) {
        const std::uint32_t index = hand_;
        hand_ = hand_ + 1 == count ? 0 : hand_ + 1;
        constexpr std::uint32_t ahead = 8;
        prefetch_for_write(&slot(hand_ + ahead < count ? hand_ + ahead : hand_));
        const std::uint64_t serial = notes_[index].serial.load(std::memory_order_relaxed);
        if (serial == no_serial || !may_leave(index)) { continue; }
        const task::Phase phase = try_take({serial, index});
        if (phase == task::Phase::free) { continue; }
        if (notes_[index].dropped.load(std::memory_order_seq_cst) != serial + 1) {
            keep(index, serial, phase);
        } else if (has_failed(index, phase)) [[unlikely]] {
            note_failure(index, serial, phase);
        }
        clear_and_free(index, phase);
        ++found;
    }
    return free_ != no_slot;
}

/// Effects: moves the result of a taken slot to kept_. Throws: std::bad_alloc; the slot is then as it was before it was
/// taken.
PROCPOOL_DECL void Client::keep(std::uint32_t index, std::uint64_t serial, task::Phase phase) {
    bool added = false;
    try {
        Parcel& kept = kept_.add(serial, describe(index, phase));
        added = true;
        if (phase != task::Phase::done) {  // its payloads go with its slot: see clear()
            if (phase == task::Phase::lost) { kept.copy(board_.results.payload(index)); }
            return;
        }
        if (const auto large = board_.results.held(index); large.run.count != 0) {
            kept.adopt(board_.results.extents(), large.run.first, large.run.count, large.size);
            slot(index).result_bytes = 0;
        } else {
            kept.copy(board_.results.payload(index));
        }
    } catch (...) {
        if (added) { static_cast<void>(kept_.take(serial)); }
        slot(index).word.store(word_of(index).with(phase).bits(), std::memory_order_release);
        throw;
    }
}

}  // namespace procpool::detail::client

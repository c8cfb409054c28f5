// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: submission and the pool's life.

#include <procpool/client/client.hpp>
#include <procpool/log/log.hpp>
#include <procpool/log/log_sink.hpp>
#include <procpool/log/tracer.hpp>
#include <procpool/worker/break_pool.hpp>

#include <algorithm>
#include <optional>

namespace procpool::inline v0::detail::client {

inline Client::Client(std::uint32_t capacity, std::uint32_t seats, PlaceOf where, bool code_may_differ)
    : region_(os::Mapping::reserve(os::generous_reservation(), os::least_reservation)),
      board_(task::Board::create(region_, {capacity, seats, Parkers::count, sizeof(Holder)})),
      owner_(os::process_token()),
      place_of_(where),
      modules_(code_may_differ ? std::optional{os::Modules::loaded_now()} : std::nullopt),
      parkers_(board_.parkers()),
      holders_(reinterpret_cast<Holder*>(board_.notes()), capacity) {
    detached_.reserve(capacity);
}

template <class Encode>
std::optional<Ticket> Client::submit(const Order& order, Encode encode) {
    check_code(reinterpret_cast<std::uintptr_t>(order.code));
    std::unique_lock lock{mutex_};
    const std::uint32_t index = acquire(lock, order);
    if (index == no_slot) { return std::nullopt; }
    if (!order.plain) { lock.unlock(); }  // what encodes is the user's code: it may take long, throw, or submit

    struct Growth {
        Client& client;
        std::uint32_t index;
        bool locked;
        static std::span<std::byte> grow(void* self, std::span<std::byte> current, std::size_t used, std::size_t need) {
            auto& [client, index, locked] = *static_cast<Growth*>(self);
            try {
                return client.board_.arguments.grow(index, 0, current, used, need);
            } catch (const SharedMemoryExhausted&) {
                const Lock guard = locked ? Lock{} : Lock{client.mutex_};
                if (!client.shed()) { throw; }
            }
            return client.board_.arguments.grow(index, 0, current, used, need);
        }
    } growth{*this, index, order.plain};
    Writer out{board_.arguments.first_buffer(index), Growth::grow, &growth, place_of_};
    try {
        const Encoding inner{*this};
        encode(out);
    } catch (...) {
        board_.arguments.abandon(index, out.buffer());
        if (!lock.owns_lock()) { lock.lock(); }
        add_free(index);
        lock.unlock();
        board_.notify_capacity_waiter();
        throw;
    }
    board_.arguments.seal(index, out.buffer(), out.size());
    if (!lock.owns_lock()) {
        lock.lock();
        if (!accepts(order)) {
            board_.arguments.release(index);
            add_free(index);
            throw_ended();
        }
        // Others may have filled the ring meanwhile. There are twice as many places as slots.
        if (task::Ring& ring = ring_for(order); ring.is_full()) { static_cast<void>(make_room(ring)); }
    }
    return publish(lock, index, order);
}

/// Returns: a free slot, or no_slot when there is none and the caller has no patience. Requires: the lock is held; it
/// may be released between.
inline std::uint32_t Client::acquire(Lock& lock, const Order& order) {
    task::Ring& ring = ring_for(order);
    for (int attempt = 0;; ++attempt) {
        if (!accepts(order)) { throw_ended(); }
        if (!detached_.empty()) { free_dropped(); }
        // Large arguments go where the last ones were, which is still in cache; for others a look at each would cost
        // more.
        if (free_ == no_slot || !order.plain) { take_returned(); }
        if ((free_ != no_slot || take_fresh() || sweep()) && (!ring.is_full() || make_room(ring))) {
            const std::uint32_t index = std::exchange(free_, holders_[free_].next);
            if (free_ != no_slot) { prefetch_for_write(&slot(free_)); }
            return index;
        }
        if (order.patience == Patience::try_once) { return no_slot; }
        lock.unlock();
        constexpr int looks_before_sleep = 100;
        if (attempt == 0 && Encoding::slots_of(*this) == holders_.size()) {
            throw_deadlock(
                "procpool: what encodes an argument, or an input that a call over many items reads, needs room in the "
                "pool's queue, and has all of it");
        }
        if (attempt < looks_before_sleep) {
            for (int i = 0; i < 32; ++i) { relax(); }
            os::yield();
        } else {
            wait_for_capacity(order);
        }
        lock.lock();
    }
}

/// Effects: one slot more is in use: memory is touched as it is needed. Returns: false when all are. Throws:
/// SharedMemoryExhausted. Requires: the lock is held.
inline bool Client::take_fresh() {
    if (fresh_ == holders_.size()) { return false; }
    constexpr std::uint32_t together = 64;
    constexpr std::size_t bytes = sizeof(task::Slot) + sizeof(task::TaskLabel) + sizeof(Holder) +
                                  2 * sizeof(std::uint64_t);  // and two places in a ring
    if (fresh_ % together == 0) { os::own_budget.charge(together * bytes); }
    add_free(fresh_++);
    return true;
}

/// Effects: what was given back is free, the last one on top. Requires: the lock is held.
inline void Client::take_returned() noexcept {
    if (returned_.load(std::memory_order_relaxed) == no_slot) { return; }
    // acquire: sees what give_back() did to the slots before it pushed them.
    const std::uint32_t top = returned_.exchange(no_slot, std::memory_order_acquire);
    if (free_ != no_slot) {
        std::uint32_t bottom = top;
        while (holders_[bottom].next != no_slot) { bottom = holders_[bottom].next; }
        holders_[bottom].next = free_;
    }
    free_ = top;
}

/// Effects: drops the offers of a full ring that are no longer good, which cancelled tasks leave behind: every task
/// that is still pending moves to the end, in the same order. Requires: mutex_ is held.
[[gnu::cold]] inline bool Client::make_room(task::Ring& ring) noexcept {
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

inline Ticket Client::publish(Lock& lock, std::uint32_t index, const Order& order) {
    task::Slot& task = slot(index);
    task::Issue& issue = board_.issue(index);
    task.code = reinterpret_cast<std::uintptr_t>(order.code);
    task.result_bytes = 0;  // what a worker leaves that dies in the middle of many items must not be the last task's
    const bool special = order.timeout.count() > 0 || order.retries > 0;
    if (special) {  // most tasks do without the second line
        issue.timeout.store(std::max<std::int64_t>(0, order.timeout.count()), std::memory_order_relaxed);
        issue.retries = static_cast<std::uint16_t>(std::min<std::uint32_t>(order.retries, UINT16_MAX));
        task.attempt = 0;
    }
    const bool labelled = !order.label.empty();
    const bool traced = board_.control.trace_id != 0;
    const int traits = (special ? task::Slot::limited : 0) | (labelled ? task::Slot::labelled : 0) |
                       (traced ? task::Slot::traced : 0) |
                       (order.addressee != Order::anybody ? task::Slot::mailed : 0) |
                       (order.stays ? task::Slot::staying : 0);
    task.traits.store(static_cast<std::uint8_t>(traits), std::memory_order_relaxed);
    issue.traits.store(static_cast<std::uint8_t>(traits), std::memory_order_relaxed);
    if (traced) [[unlikely]] {
        board_.label(index).queued = log::trace_time();
        board_.label(index).started.store(0, std::memory_order_relaxed);
    }
    if (labelled) {
        board_.label(index).set(order.label);
        const std::lock_guard guard{label_mutex_};
        labels_.resize(holders_.size());
        labels_[index] = order.label;
    }
    holders_[index].stays = order.stays;
    const bool waited = order.waiter != Order::no_waiter;
    if (waited) { board_.waiters.assign(task.waiters, order.waiter); }
    // Before it is published: it may start at once.
    const Deadline expires = order.timeout.count() > 0 ? Deadline::after(order.timeout) : Deadline::never();
    const std::uint64_t serial = static_cast<std::uint64_t>(++issued_);
    const std::uint32_t generation = next_generation();
    submitted_.store(serial, std::memory_order_relaxed);
    holders_[index].serial.store(serial, std::memory_order_release);
    const bool for_one = order.addressee != Order::anybody;
    if (for_one) {
        board_.publish_to(order.addressee, {index, generation}, waited);
    } else {
        board_.publish({index, generation}, task::Queue::level_of(order.priority), waited);
    }
    lock.unlock();
    // The pool may have been broken since life was looked at. seq_cst: published before this look; whoever ends the
    // pool moves life first and then looks at the words, so one of the two decides the task.
    if (life() > task::Life::closing) { board_.lose_pending(index, generation, task::ending_by(life())); }
    if (for_one) {
        board_.wake_seats();
    } else {
        board_.wake_for_new_task();
    }
    if (order.timeout.count() > 0) { arm(expires); }
    crew_->run_here();
    return {serial, index};
}

/// Effects: somebody will look in time at a task that has been published and expires then at the earliest.
inline void Client::arm(Deadline expires) noexcept {
    // seq_cst: published before this look; the supervisor writes `armed` and then looks at the slots.
    if (expires.when().time_since_epoch().count() < board_.control.armed.load(std::memory_order_seq_cst)) {
        crew_->ring();
    }
}

/// Blocks until a slot may have become free, or something else worth a look happens.
inline void Client::wait_for_capacity(const Order& order) {
    if (crew_->make_room()) { return; }
    const std::lock_guard guard{capacity_mutex_};
    const Parkers::Lease lease = parkers_.lease();
    // seq_cst: registered before the look at the words; a worker makes its word done before it looks for a
    // registration.
    if (lease) { board_.from_workers.capacity_waiter.store(lease.index() + 1, std::memory_order_seq_cst); }
    const auto something_to_do = [&] {
        const std::lock_guard look{mutex_};
        if (!accepts(order) || free_ != no_slot || returned_.load(std::memory_order_seq_cst) != no_slot) {
            return true;
        }
        for (std::uint32_t index = 0; index < board_.used_slots().size(); ++index) {
            if (task::Word{slot(index).word.load(std::memory_order_seq_cst)}.finished() && may_leave(index)) {
                return true;
            }
        }
        return false;
    };
    if (!something_to_do()) {
        lease.park(Deadline::after(std::chrono::milliseconds{100}));
        after_long_sleep();
    }
    board_.from_workers.capacity_waiter.store(0, std::memory_order_relaxed);
}

/// Effects: frees slots whose tasks are decided; results that somebody may ask for are kept elsewhere. Returns: whether
/// there is a free slot now. Requires: mutex_ is held.
inline bool Client::sweep() {
    constexpr std::uint32_t enough = 256;
    const auto count = static_cast<std::uint32_t>(holders_.size());
    for (std::uint32_t looked = 0, found = 0; looked < count && found < enough; ++looked) {
        const std::uint32_t index = hand_;
        hand_ = hand_ + 1 == count ? 0 : hand_ + 1;
        constexpr std::uint32_t ahead = 8;
        prefetch_for_write(&slot(hand_ + ahead < count ? hand_ + ahead : hand_));
        const std::uint64_t serial = holders_[index].serial.load(std::memory_order_relaxed);
        if (serial == no_serial || !may_leave(index)) { continue; }
        const task::Phase phase = try_take({serial, index});
        if (phase == task::Phase::free) { continue; }
        if (holders_[index].dropped.load(std::memory_order_seq_cst) != serial + 1) { keep(index, serial, phase); }
        clear(index, phase);
        add_free(index);
        ++found;
    }
    return free_ != no_slot;
}

/// Effects: frees a few slots of tasks whose futures were dropped, so that large results nobody wants do not pile up.
/// Requires: mutex_ is held.
inline void Client::free_dropped() noexcept {
    constexpr int few = 4;
    for (int i = 0; i < few && !detached_.empty(); ++i) {
        next_detached_ = next_detached_ + 1 < detached_.size() ? next_detached_ + 1 : 0;
        Ticket& ticket = detached_[next_detached_];
        if (!is_decided(ticket)) { continue; }
        if (const task::Phase phase = try_take(ticket); phase != task::Phase::free) {  // or a sweep was faster
            clear(ticket.slot, phase);
            add_free(ticket.slot);
        }
        ticket = detached_.back();
        detached_.pop_back();
    }
}

/// Effects: the result of a taken slot is in kept_. Throws: std::bad_alloc; the slot is as it was before it was taken
/// then.
inline void Client::keep(std::uint32_t index, std::uint64_t serial, task::Phase phase) {
    bool added = false;
    try {
        Parcel& kept = kept_.add(serial, describe(index, phase));
        added = true;
        if (phase != task::Phase::done) { return; }  // what a lost one has left goes with its slot: see clear()
        if (const auto large = board_.results.held(index); large.run.count != 0) {
            kept.adopt(board_.results.extents(), large.run, large.size);
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

inline void Client::stop(task::Life to) noexcept {
    {
        const std::lock_guard guard{mutex_};  // no submission is between its look at life and its publication
        closing_.store(true, std::memory_order_relaxed);
        if (to > task::Life::closing) { board_.control.advance(to); }
    }
    if (to > task::Life::closing) {
        look_at_life();
    } else {
        close_if_unheld();
        board_.notify_parent();  // held or not, nobody is to wait for room any more
    }
}

inline void Client::hold(HoldUntil until) {
    const std::lock_guard guard{mutex_};
    if (!is_open()) { throw_ended(); }
    ++(until == HoldUntil::joined ? holds_until_join_ : holds_);
    callers_ += until == HoldUntil::returned ? 1 : 0;
}

inline void Client::release_hold(HoldUntil until) noexcept {
    {
        const std::lock_guard guard{mutex_};
        --(until == HoldUntil::joined ? holds_until_join_ : holds_);
        callers_ -= until == HoldUntil::returned ? 1 : 0;
    }
    close_if_unheld();
}

/// Effects: a pool whose close() has been called is closing, once nothing holds it.
inline void Client::close_if_unheld() noexcept {
    {
        const std::lock_guard guard{mutex_};
        const bool held = holds_ != 0 || (holds_until_join_ != 0 && !joined_);
        if (held || !closing_.load(std::memory_order_relaxed) || !board_.control.advance(task::Life::closing)) {
            return;
        }
    }
    look_at_life();
}

/// Effects: everybody whom a new life of the pool concerns learns of it.
inline void Client::look_at_life() noexcept {
    if (life() > task::Life::closing) {
        board_.lose_all_pending(Ending::terminated);
        if (!crew_->can_kill()) { request_stop_of_all(); }
    }
    board_.wake_all();
    crew_->ring();
    board_.notify_parent();
}

inline bool Client::join(Deadline deadline) {
    {
        const std::lock_guard guard{mutex_};
        joined_ = true;
    }
    close_if_unheld();
    if (!crew_->join(deadline)) { return false; }
    check_crew();
    log::settle_log();
    return true;
}

inline void Client::refork() {
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
}

/// Whoever should have decided the tasks may be gone without having done so.
inline void Client::check_crew() noexcept {
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

inline void Client::check_new_code(std::uintptr_t address) const {
    const std::lock_guard guard{modules_mutex_};
    if (modules_ && !modules_->contain(address)) {
        throw CodecError(
            "procpool: this task's code was loaded after the workers were forked: build the pool later, or call "
            "refork()");
    }
    known_code_.store(address, std::memory_order_relaxed);
}

inline void Client::throw_ended() const {
    switch (life()) {
        case task::Life::open:
        case task::Life::closing: break;
        case task::Life::terminated:
        case task::Life::killed: throw PoolClosed("procpool: the pool has been terminated");
        case task::Life::broken:
            throw PoolBroken("procpool: " + core::sentence(Ending::broken, {.reason = board_.from_workers.reason()}));
    }
    throw PoolClosed{};
}

}  // namespace procpool::detail::client

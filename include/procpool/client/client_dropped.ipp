// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client_dropped.hpp>

#include <procpool/client/client_ref.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/scope.hpp>
#include <procpool/log/log_sink.hpp>
#include <procpool/os/per_process.hpp>
#include <procpool/os/yield.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::client {

/// The clients of this process whose pools live. The thread of the log's sink goes round: an idle pool learns of its
/// dropped tasks' errors by that. Without a sink, stats() and the pool's end are soon enough.
class Client::Round : public os::OfOneProcess {
public:
    /// Throws: std::bad_alloc.
    static void join(Client& client) {
        Round& round = of_process_.get([] { return new Round; });
        {
            const std::lock_guard guard{round.mutex_};
            round.clients_.push_back(&client);
        }
        log::before_looks.store(&go, std::memory_order_release);
    }
    static void leave(Client& client) noexcept {
        Round* const round = of_process_.mine();
        if (round == nullptr) { return; }
        const std::lock_guard guard{round->mutex_};
        std::erase(round->clients_, &client);
    }

private:
    static void go() noexcept try {
        Round* const round = of_process_.mine();
        if (round == nullptr) { return; }
        std::vector<ClientRef> with_dropped;
        {
            const std::lock_guard guard{round->mutex_};
            for (Client* const one : round->clients_) {
                if (one->has_dropped_.load(std::memory_order_relaxed)) { with_dropped.emplace_back(*one); }
            }
        }
        for (const ClientRef& one : with_dropped) { one->settle_dropped(false); }
    } catch (...) {  // no memory: the next round may have some
    }

    std::mutex mutex_;
    std::vector<Client*> clients_;
    static inline constinit os::PerProcess<Round> of_process_;
};

PROCPOOL_DECL void Client::tell_unobserved() {
    unobserved_ = std::make_shared<Unobserved>(board_.control.name.data());
    Round::join(*this);
}

PROCPOOL_DECL void Client::leave_round(Client& client) noexcept { Round::leave(client); }

PROCPOOL_DECL void Client::drop(Ticket ticket, bool observed) noexcept {
    SlotNotes& notes = notes_[ticket.slot];
    if (notes.serial.load(std::memory_order_acquire) == ticket.serial) {
        // The slot may have another task by now, which may have been dropped too: the mark is a number, and does not go
        // back.
        const auto mark = [&](std::atomic<std::uint64_t>& last) {
            std::uint64_t seen = last.load(std::memory_order_relaxed);
            while (seen <= ticket.serial &&
                   !last.compare_exchange_weak(seen, ticket.serial + 1, std::memory_order_seq_cst)) {}
        };
        if (observed) { mark(notes.observed); }
        // seq_cst: marked before the look at the word; a sweep takes the word before it looks at the mark.
        mark(notes.dropped);
        const task::Word word{slot(ticket.slot).word.load(std::memory_order_seq_cst)};
        const bool ours = notes.serial.load(std::memory_order_acquire) == ticket.serial;
        if (ours && (word.is_undecided() || notes.pins.load(std::memory_order_relaxed) != 0)) {
            bool freed = false;
            {
                const std::lock_guard guard{mutex_};
                if (detached_.size() == detached_.capacity()) {  // some are stale: at most one for each slot counts
                    freed = std::erase_if(detached_, [this](Ticket one) { return free_if_decided(one); }) != 0;
                }
                detached_.push_back(ticket);
                has_dropped_.store(true, std::memory_order_relaxed);
            }
            if (freed) {
                board_.notify_capacity_waiter();
                release_orphans();
            }
            return;
        }
        if (const task::Phase phase = try_take(ticket); phase != task::Phase::free) {
            if (!observed && has_failed(ticket.slot, phase)) [[unlikely]] {
                DroppedFailure failure = describe_dropped(ticket.slot, ticket.serial, phase);
                give_back(ticket.slot, phase);
                return tell(std::move(failure));
            }
            give_back(ticket.slot, phase);
            return;
        }
    }
    Parcel parcel;
    {
        const std::lock_guard guard{mutex_};
        parcel = kept_.take(ticket.serial);
    }
    release_orphans();
    const bool failed = parcel && (parcel.phase() == task::Phase::done ? parcel.ending() == Ending::exception
                                                                       : core::is_failure(parcel.ending()));
    if (failed && !observed) { tell({ticket.serial, {}, std::move(parcel)}); }
}

/// Effects: frees a few slots of tasks whose futures were dropped, so that large unwanted results do not pile up.
/// Requires: the lock is held; it may be released between.
PROCPOOL_DECL void Client::free_dropped(Lock& lock) noexcept {
    constexpr int few = 4;
    for (int i = 0; i < few && !detached_.empty(); ++i) {
        next_detached_ = next_detached_ + 1 < detached_.size() ? next_detached_ + 1 : 0;
        Ticket& ticket = detached_[next_detached_];
        if (!free_if_decided(ticket)) { continue; }
        ticket = detached_.back();
        detached_.pop_back();
    }
    free_decided_calls();
    if (!failures_.empty()) [[unlikely]] { tell_failures(lock); }
}

/// Requires: mutex_ is held.
PROCPOOL_DECL bool Client::free_if_decided(Ticket ticket) noexcept {
    if (!is_decided(ticket)) { return false; }
    const SlotNotes& notes = notes_[ticket.slot];
    if (notes.pins.load(std::memory_order_relaxed) != 0 &&
        notes.serial.load(std::memory_order_relaxed) == ticket.serial) {
        return false;
    }
    if (const task::Phase phase = try_take(ticket); phase != task::Phase::free) {  // or a sweep was faster
        if (has_failed(ticket.slot, phase)) [[unlikely]] { note_failure(ticket.slot, ticket.serial, phase); }
        clear_and_free(ticket.slot, phase);
    }
    return true;
}

[[gnu::cold]] PROCPOOL_DECL void Client::settle_dropped(bool waits) noexcept {
    if (!has_dropped_.load(std::memory_order_relaxed)) { return; }
    const Deadline patience = Deadline::after(std::chrono::seconds{3});
    {
        Lock lock{mutex_};
        std::erase_if(detached_, [this](Ticket ticket) { return free_if_decided(ticket); });
        free_decided_calls();
        tell_failures(lock);
        while (waits && telling_ != 0 && !tells_ && !patience.passed()) {
            lock.unlock();
            os::nap();
            lock.lock();
        }
        has_dropped_.store(!detached_.empty() || !failures_.empty() || telling_ != 0, std::memory_order_relaxed);
    }
    board_.notify_capacity_waiter();
    release_orphans();
}

/// Returns: what tells of it, once its slot is given back; without memory for it, that there was one.
[[gnu::cold]] PROCPOOL_DECL Client::DroppedFailure Client::describe_dropped(std::uint32_t index, std::uint64_t serial,
                                                                            task::Phase phase) noexcept {
    DroppedFailure failure{serial};
    try {
        if (board_.issue(index).has(task::Slot::labelled)) {
            const std::lock_guard guard{label_mutex_};
            failure.label = labels_[index];
        }
        failure.parcel = describe(index, phase);
        if (phase == task::Phase::done) { failure.parcel.copy(board_.results.payload(index)); }
    } catch (...) { return {serial}; }
    return failure;
}

/// Requires: mutex_ is held, and the dropped task's slot is taken by the caller.
[[gnu::cold]] PROCPOOL_DECL void Client::note_failure(std::uint32_t index, std::uint64_t serial,
                                                      task::Phase phase) noexcept {
    if (notes_[index].observed.load(std::memory_order_relaxed) == serial + 1) { return; }
    try {
        failures_.push_back(describe_dropped(index, serial, phase));
        has_dropped_.store(true, std::memory_order_relaxed);
    } catch (...) { unobserved_->add({serial}, nullptr); }
}

[[gnu::cold]] PROCPOOL_DECL void Client::tell(DroppedFailure failure) noexcept {
    std::exception_ptr error;
    if (failure.parcel) {
        try {
            Taken{*this, place_of_, Taken::in_parcel, std::move(failure.parcel)}.require_value();
        } catch (...) { error = std::current_exception(); }
    }
    unobserved_->add({failure.task, failure.label}, error);
}

/// Requires: the lock is held; it is released between, since exceptions are decoded by the user's code.
[[gnu::cold]] PROCPOOL_DECL void Client::tell_failures(Lock& lock) noexcept {
    std::vector<DroppedFailure> failures = std::move(failures_);
    failures_.clear();
    if (failures.empty()) { return; }
    ++telling_;
    lock.unlock();
    {
        const core::Restore here{tells_, true};
        for (DroppedFailure& one : failures) { tell(std::move(one)); }
    }
    lock.lock();
    --telling_;
}

}  // namespace procpool::detail::client

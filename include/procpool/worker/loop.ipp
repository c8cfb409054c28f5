// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/exception.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/os/probes.hpp>
#include <procpool/os/throw_place.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/worker/loop.hpp>
#include <procpool/worker/observed_run.hpp>
#include <procpool/worker/throw_report.hpp>

#include <array>
#include <exception>
#include <utility>

namespace procpool::inline v0::detail::worker {

PROCPOOL_DECL void Loop::run() {
    for (;;) {
        if (must_make_room()) [[unlikely]] {
            if (must_sit_out()) {
                sit_out();
                continue;
            }
            if (const std::optional<task::Claim> claim = last_mail()) {
                run_task(*claim);
                continue;
            }
            offer_made_ready();
            board_.wake_for_ready();  // those that its last task made ready
            // It may have been taken out of the sleepers for a task that it leaves to others.
            stop_searching();
            return;
        }
        if (const std::optional<task::Claim> claim = next()) {
            if (searching_) { stop_searching(); }
            run_task(*claim);
        } else if (must_leave()) {
            // Tasks published before the end show now, if not a moment ago; others may still be waiting for some.
            if (!was_idle()) { continue; }
            if (!board_.has_blocked()) {
                if (board_.control.links_used.load(std::memory_order_relaxed) != 0) { board_.wake_all(); }
                return;
            }
            sleep_among_others();
        } else {
            search_or_sleep();
        }
    }
}

PROCPOOL_DECL bool Loop::run_one() {
    const std::optional<task::Claim> claim = next();
    if (claim) {
        run_task(*claim);
        offer_made_ready();
    }
    return claim.has_value();
}

PROCPOOL_DECL void Loop::offer_made_ready() noexcept {
    if (made_ready_.slot == task::ReadySet::nothing) { return; }
    board_.offer_ready(std::exchange(made_ready_.slot, task::ReadySet::nothing));
}

[[gnu::noinline]] PROCPOOL_DECL std::optional<task::Claim> Loop::claim_made_ready() noexcept {
    reach(FaultPoint::ready_kept);
    if (!mailbox_.was_empty()) {
        offer_made_ready();
        return std::nullopt;
    }
    const task::Offer offer = made_ready_;
    made_ready_.slot = task::ReadySet::nothing;
    return board_.claim_made_ready(offer, number_);
}

PROCPOOL_DECL bool Loop::run_one_within(bool mail) {
    const std::optional<task::Claim> claim = mail ? next() : board_.claim(number_);
    if (claim) { run_nested(*claim); }
    return claim.has_value();
}

PROCPOOL_DECL bool Loop::run_within(task::Offer offer) {
    if (board_.all_slots()[offer.slot].is_mailed()) { return false; }
    const std::optional<task::Claim> claim = board_.claim_offered(offer, number_);
    if (claim) { run_nested(*claim); }
    return claim.has_value();
}

PROCPOOL_DECL bool Loop::run_within_for(std::uint32_t waiter) {
    const auto used = board_.used_slots();
    for (std::uint32_t i = 0; i < used.size(); ++i) {
        const task::Word word{used[i].word.load(std::memory_order_acquire)};
        const bool waited_for =
            word.waited() && (used[i].waiters.load(std::memory_order_relaxed) & task::Waiters::bit(waiter)) != 0;
        if (!waited_for || !word.has_not_started()) { continue; }
        const std::optional<task::Offer> first = board_.pending_before(i);
        if (first && run_within(*first)) { return true; }
    }
    return false;
}

PROCPOOL_DECL bool Loop::run_newest_within() {
    const auto used = board_.used_slots();
    std::optional<task::Offer> newest;
    std::uint64_t newest_number = 0;
    for (std::uint32_t i = 0; i < used.size(); ++i) {
        const task::Word word{used[i].word.load(std::memory_order_acquire)};
        if (word.phase() != task::Phase::pending || used[i].is_mailed()) { continue; }
        const std::uint64_t number = board_.number_of(i).load(std::memory_order_acquire);
        if (number > newest_number) {
            newest = task::Offer{i, word.generation()};
            newest_number = number;
        }
    }
    return newest && run_within(*newest);
}

PROCPOOL_DECL bool Loop::run_guests_within(sync::Stamp own, int most) {
    if (waiting_ >= most) { return false; }
    struct Newest {
        std::uint64_t number = 0;
        task::Offer offer{};
    };
    std::array<Newest, 2> newest{};  // of its own, and of others
    std::uint32_t pending = 0;
    task::Guests& guests = board_.guests;
    const std::uint32_t used = guests.used();
    for (std::uint32_t slot = guests.first(); slot < guests.first() + used; ++slot) {
        const task::Word word{board_.all_slots()[slot].word.load(std::memory_order_acquire)};
        if (word.phase() != task::Phase::pending) { continue; }
        ++pending;
        const task::Guest& guest = guests.guest(slot);
        const std::uint64_t number = guest.number.load(std::memory_order_relaxed);
        Newest& best = newest[guest.owner.load(std::memory_order_relaxed) == own ? 0 : 1];
        if (number > best.number) { best = {number, {slot, word.generation()}}; }
    }
    if (pending > 1) { board_.wake_for_guest(); }  // its submitter may have relied on this worker
    for (const Newest& one : newest) {
        if (one.number != 0 && run_within(one.offer)) { return true; }
    }
    return false;
}

PROCPOOL_DECL void Loop::run_nested(task::Claim claim) {
    const Waiting outer{*this};
    seat_.inner.store(claim.slot + 1, std::memory_order_relaxed);
    run_task(claim);
    offer_made_ready();
    board_.wake_for_ready();  // the task that waits goes on, and does not look for others
}

PROCPOOL_DECL void Loop::run_task(task::Claim claim) {
    task::Slot& slot = board_.all_slots()[claim.slot];
    claim_ = claim;
    items_ = 0;
    os::probe::start(pool_name_, index_, claim_.slot, claim_.generation, slot.code);
    seat_.current.store(claim.slot + 1, std::memory_order_relaxed);
    const bool special = slot.has_limits();
    task::thread_context.attempt = special ? slot.attempt : 0;
    task::thread_context.task = this;
    const bool timed = special && board_.issue_of(claim.slot).is_timed();
    if (timed) { start_clock(); }
    std::optional<ObservedRun> run;
    if (slot.is_clocked()) [[unlikely]] { run.emplace(board_, number_, claim.slot); }
    Results results{board_, claim, hooks_, {}};
    Writer out{results.first, Results::grow, &results, hooks_.place_of};
    Ending outcome = Ending::value;
    reach(FaultPoint::before_run);
    try {
        TaskFrame frame{board_.arguments.payload(claim.slot), out, *this, timed};
        reinterpret_cast<TaskCode>(slot.code)(frame);
        outcome = frame.outcome;
    } catch (const os::NeverThrown&) { throw; } catch (...) {
        const std::exception_ptr thrown = std::current_exception();
        if (!thrown) {  // no exception of C++ but pthread_exit(): it must go on, or the runtime aborts
            hooks_.thread_ended();
            // Only a thread of the parent gets here: a worker process has ended in thread_ended().
            board_.control.casualties.fetch_add(1, std::memory_order_relaxed);
            if (!board_.lose(claim.slot, claim.generation, Ending::died)) {
                board_.control.casualties.fetch_sub(1, std::memory_order_relaxed);
            }
            throw;
        }
        hooks_.before_result();
        report_throw();
        outcome = Ending::exception;
        encode_error(out, thrown);
    }
    if (took_token_) {
        watcher_.end_of_task();
        took_token_ = false;
    }
    task::thread_context.task = nullptr;
    hooks_.after_task();
    slot.outcome = outcome;
    os::probe::end(pool_name_, index_, claim_.slot, claim_.generation, slot.outcome);
    board_.results.seal(claim.slot, out.buffer(), out.size());
    auto& count = outcome == Ending::value ? seat_.completed : seat_.failed;
    count.store(count.load(std::memory_order_relaxed) + 1,
                std::memory_order_relaxed);  // this worker alone writes it, as long as it lives
    count_items(items_ == 0 ? 1 : 0);
    seat_.current.store(task::Seat::counted, std::memory_order_relaxed);
    if (run) [[unlikely]] { run->end(id(), index_, items_, outcome); }
    reach(FaultPoint::before_done);
    if (!board_.finish(claim, number_, &made_ready_)) {
        seat_.current.store(task::Seat::condemned, std::memory_order_relaxed);
        hooks_.condemned();
        board_.results.release(claim.slot);
    }
    seat_.current.store(0, std::memory_order_relaxed);
    if (has_rest_) {
        has_rest_ = false;
        if (timed || items_ != 0) { forget_items(); }
        if (keeps_) {
            offer_made_ready();  // first: what is kept may be destroyed by code of the user's
            tidy();
        }
    }
}

PROCPOOL_DECL void Loop::encode_error(Writer& out, const std::exception_ptr& thrown) {
    out.rewind(0);
    try {
        codec::encode_exception(out, thrown);
    } catch (const SharedMemoryExhausted& exhausted) {
        out.rewind(0);
        codec::encode_exception(out, std::make_exception_ptr(exhausted));
    }
}

PROCPOOL_DECL std::stop_token Loop::stop_token() {
    std::stop_token token = watcher_.token(board_.all_slots()[claim_.slot].stop_request, id());
    took_token_ = true;
    return token;
}

PROCPOOL_DECL bool Loop::finish_items(std::uint64_t done, const Writer& result) {
    hooks_.before_result();
    if (done != items_) { task::thread_context.attempt = 0; }
    const task::Slot& slot = board_.all_slots()[claim_.slot];
    task::Seat& seat = seat_;
    board_.results.seal(claim_.slot, result.buffer(), result.size());
    count_items(done - items_);
    items_ = done;
    has_rest_ = true;
    seat.progress.store(std::uint64_t{claim_.generation} << 32 | static_cast<std::uint32_t>(done),
                        std::memory_order_relaxed);
    reach(FaultPoint::item_done);
    if (slot.has_limits() && board_.issue_of(claim_.slot).is_timed()) { restart_clock_of_item(); }
    const std::uint64_t stop = slot.stop_request.load(std::memory_order_relaxed);  // as stop_requested()
    return (stop == 0 || stop != id()) && item_budget() != 0;
}

PROCPOOL_DECL void Loop::keep(std::uint64_t call, const std::byte* from, std::shared_ptr<const void> object) noexcept {
    kept_.keep({call, from, std::move(object)});
    keeps_ = true;
}

PROCPOOL_DECL std::shared_ptr<const void> Loop::kept_value(std::uint64_t number) {
    has_rest_ = has_rest_ || values_.is_behind(board_.control);
    return values_.of(number);
}

PROCPOOL_DECL void Loop::keep_value(std::uint64_t number, const std::byte* from, std::shared_ptr<const void> value) {
    keeps_ = true;
    values_.keep(number, {from, std::move(value)});
}

[[gnu::noinline, gnu::cold]] PROCPOOL_DECL void Loop::tidy() noexcept {
    const bool objects = kept_.tidy(board_.arguments.extents());
    const bool values = values_.tidy(board_.control, board_.arguments.extents());
    keeps_ = !kept_.empty() || !values_.empty();
    if (objects || values) { hooks_.after_task(); }
}

[[gnu::noinline]] PROCPOOL_DECL void Loop::restart_clock_of_item() {
    // The stamp first: the supervisor condemns an item only if it is the same before and after it has read the
    // stamp.
    seat_.task_started.store(Clock::now().time_since_epoch().count(), std::memory_order_seq_cst);
    std::uint64_t item = seat_.item.load(std::memory_order_relaxed);
    const std::uint64_t next = (item & ~std::uint64_t{0xffffffff}) | static_cast<std::uint32_t>(item + 2);
    if ((item & 1) != 0 || !seat_.item.compare_exchange_strong(item, next, std::memory_order_seq_cst)) {
        hooks_.condemned();
    }
}

inline void Loop::search_or_sleep() {
    const task::Control& control = board_.control;
    const bool alone = is_alone();
    if (searching_) {  // another claimed what it found; no submitter may rely on it while it sleeps
        board_.spinning.remove(number_);
        searching_ = false;
    }
    if (control.spinners > 0 && (alone || board_.spinning.was_size() < control.spinners)) {
        if (!alone) {
            board_.spinning.add(number_);
            searching_ = true;
        }
        reach(FaultPoint::spinning);
        if (spin()) { return; }
        if (!alone) {
            board_.spinning.remove(number_);
            searching_ = false;
        }
    }
    sleep_among_others();
}

PROCPOOL_DECL void Loop::sleep_among_others() {
    if (searching_) { board_.spinning.remove(number_); }  // it has left off since the pool is closing
    sleep();
    // A submitter that relied on it while it spun, or took it out of the sleepers, woke no other.
    searching_ = !is_alone();
}

PROCPOOL_DECL void Loop::sleep() {
    // A call that ends after this look notifies the parker, which then does not sleep.
    if (keeps_) { tidy(); }
    board_.sleeping.add(number_);
    reach(FaultPoint::asleep);
    if (was_idle() && (!must_leave() || board_.has_blocked())) { seat_.parker.park(Deadline::never()); }
    board_.sleeping.remove(number_);
}

PROCPOOL_DECL void Loop::stop_searching() noexcept {
    searching_ = false;
    board_.spinning.remove(number_);
    if (!board_.queue.was_empty()) { board_.wake_for_new_task(); }
}

PROCPOOL_DECL bool Loop::must_sit_out() const noexcept {
    const task::Orders::Told told = board_.control.orders.look();
    const std::uint64_t most = board_.control.items_per_worker;
    const bool has_done_all = most != 0 && seat_.items_done.load(std::memory_order_relaxed) >= most;
    return waits_by(told) && !leaves_by(told) && !has_done_all;
}

// No submitter relies on this worker meanwhile: it is in neither set. Memory order: seq_cst: it leaves the sets, and
// then looks at the queue. A submitter that found it in one had published before, so that task is seen here, and the
// next worker is woken for it; one that publishes later does not find it. The one that is woken may have to sit out
// too, and does the same. In the end that is one which goes on, or no sleeper is left: then those that go on are awake,
// and look at the queue before they sleep. The supervisor writes Seat::goes_on and the orders, and then notifies all
// seats: if this look comes too early for them, park() returns at once.
[[gnu::noinline, gnu::cold]] PROCPOOL_DECL void Loop::sit_out() {
    offer_made_ready();
    board_.wake_for_ready();
    stop_searching();
    if (keeps_) { tidy(); }
    if (!mailbox_.was_empty()) {
        if (const std::optional<task::Claim> claim = board_.claim_mail(index_, number_)) { return run_task(*claim); }
    }
    if (must_sit_out() && mailbox_.was_empty()) { seat_.parker.park(Deadline::never()); }
}

PROCPOOL_DECL bool Loop::spin() const noexcept {
    for (int round = 0; round < os::spin_rounds; ++round) {
        for (int i = 0; i < os::looks_per_round; ++i) {
            if (!was_idle()) { return true; }
            relax();
        }
        if (must_leave()) { return true; }
        os::yield();  // on a busy machine another thread has better use for the processor
    }
    return false;
}

}  // namespace procpool::detail::worker

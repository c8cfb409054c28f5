// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadline.hpp>
#include <procpool/core/deadlock.hpp>
#include <procpool/engine/thread.hpp>
#include <procpool/log/report.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/throw_place.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/task/thread_context.hpp>
#include <procpool/worker/bind.hpp>
#include <procpool/worker/break_pool.hpp>
#include <procpool/worker/deadlines.hpp>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace procpool::inline v0::detail::engine {

PROCPOOL_DECL ThreadCrew::ThreadCrew(client::Client& client, worker::Setup setup)
    : client_(client),
      board_(client.board()),
      setup_(std::move(setup)),
      workers_(std::make_unique<ThreadWorker[]>(setup_.places)) {
    board_.control.armed.store(Deadline::never().when().time_since_epoch().count(), std::memory_order_relaxed);
    if (setup_.backtraces) { os::records_throws.store(true, std::memory_order_relaxed); }
    const os::AllSignalsBlocked inherited_by_the_threads;
    threads_.reserve(setup_.places);
    try {
        make_threads(board_.control.workers.load(std::memory_order_relaxed));
    } catch (...) {
        board_.control.advance(task::Life::killed);
        board_.wake_all();
        leave();
        for (std::thread& thread : threads_) { thread.join(); }
        throw;
    }
    board_.control.workers_forked.store(1, std::memory_order_release);
    leave();
}

PROCPOOL_DECL void ThreadCrew::resize(std::uint32_t workers) {
    const std::lock_guard guard{changing_};
    if (!stay()) { return; }
    struct Leave {
        ThreadCrew& crew;
        ~Leave() { crew.leave(); }
    } const leave{*this};
    const auto set = [this](std::uint32_t size) {
        board_.control.workers.store(size, std::memory_order_seq_cst);
        for (std::uint32_t index = 0; index < threads_.size(); ++index) {
            task::Seat& seat = board_.seats()[index];
            seat.dismissal.store(index < size ? task::Dismissal::none : task::Dismissal::surplus,
                                 std::memory_order_relaxed);
        }
        board_.control.orders.set_personal(size < threads_.size());
        board_.wake_seats();  // last: a thread that is awake because of it sees what it is told
    };
    try {
        const os::AllSignalsBlocked inherited_by_the_threads;
        make_threads(workers);
    } catch (...) {
        set(static_cast<std::uint32_t>(threads_.size()));
        throw;
    }
    set(workers);
}

PROCPOOL_DECL bool ThreadCrew::stay() noexcept {
    std::uint32_t alive = alive_.load(std::memory_order_relaxed);
    while (alive != 0) {
        // relaxed: it only keeps the count from 0; see leave() for what the last one has to see.
        if (alive_.compare_exchange_weak(alive, alive + 1, std::memory_order_relaxed)) { return true; }
    }
    return false;
}

PROCPOOL_DECL void ThreadCrew::make_threads(std::uint32_t wanted) {
    while (threads_.size() < wanted) {
        const auto index = static_cast<std::uint32_t>(threads_.size());
        prepare_seat(index);
        alive_.fetch_add(1, std::memory_order_relaxed);  // as stay()
        try {
            threads_.emplace_back([this, index] { work(index); });
        } catch (...) {
            alive_.fetch_sub(1, std::memory_order_relaxed);
            board_.seats()[index].state.store(task::SeatState::vacant, std::memory_order_relaxed);
            throw;
        }
    }
}

PROCPOOL_DECL ThreadCrew::~ThreadCrew() {
    if (threads_.empty()) { return; }
    if (board_.control.advance(task::Life::killed)) { board_.wake_all(); }  // a pool that could not be built
    static_cast<void>(join(Deadline::never()));
}

PROCPOOL_DECL void ThreadCrew::ring() noexcept {
    if (board_.control.life.load() != task::Life::open) { return board_.wake_seats(); }  // for those that rest
    {
        const std::lock_guard guard{timing_};
        rung_ = true;
        if (!timer_.joinable() && !has_ended()) {
            const os::AllSignalsBlocked inherited_by_the_thread;
            timer_ = std::thread([this] { watch_deadlines(); });
        }
    }
    rang_.notify_one();
}

PROCPOOL_DECL bool ThreadCrew::has_ended() noexcept {
    return board_.control.ended.load(std::memory_order_acquire) != 0;
}

PROCPOOL_DECL bool ThreadCrew::join(Deadline deadline) {
    if (is_in_task()) { core::throw_deadlock("procpool: join() in a task of the pool"); }
    const client::Parkers::Lease lease = client_.parkers().lease();
    while (!has_ended()) {
        if (deadline.passed()) { return false; }
        lease.park(deadline.or_sooner(Deadline::after(std::chrono::milliseconds{100})));
    }
    const std::lock_guard guard{changing_};
    for (std::thread& thread : threads_) {
        if (thread.joinable()) { thread.join(); }
    }
    end_timer();
    return true;
}

PROCPOOL_DECL bool ThreadCrew::run_awaited(std::uint32_t slot, task::Word word) {
    const ThreadWorker* const here = own_worker();
    if (here == nullptr) { return false; }
    if (word.phase() == task::Phase::started && word.seat() == here->loop->number()) {
        core::throw_deadlock("procpool: a task waits for its own end");
    }
    if (!word.has_not_started()) { return false; }
    if (board_.actor.is_one) { core::throw_call_within_call(); }
    const std::optional<task::Offer> first = board_.pending_before(slot);
    return first && here->loop->run_within(*first);
}

PROCPOOL_DECL bool ThreadCrew::run_awaited_by(std::uint32_t waiter) {
    ThreadWorker* const here = own_worker();
    if (here == nullptr || board_.actor.is_one) { return false; }
    struct Collecting {
        std::atomic<std::uint32_t>& set;
        std::uint32_t before;
        ~Collecting() { set.store(before, std::memory_order_relaxed); }
    } const collecting{here->collects, here->collects.load(std::memory_order_relaxed)};
    here->collects.store(collecting.before | task::Waiters::bit(waiter), std::memory_order_relaxed);
    return here->loop->run_within_for(waiter);
}

PROCPOOL_DECL bool ThreadCrew::run_any_if_all_wait() {
    ThreadWorker* const here = own_worker();
    if (here == nullptr || board_.actor.is_one || here->loop->waiting() >= deepest) { return false; }
    const auto waits = [&](const ThreadWorker& worker) {
        return &worker == here || worker.waits.load(std::memory_order_relaxed) || worker.is_stuck();
    };
    return std::ranges::all_of(std::span{workers_.get(), setup_.places}, waits) && here->loop->run_newest_within();
}

PROCPOOL_DECL bool ThreadCrew::make_room() {
    ThreadWorker* const here = own_worker();
    if (here == nullptr) { return false; }
    if (board_.actor.is_one) { core::throw_call_within_call(); }
    if (here->loop->waiting() < deepest && here->loop->run_one_within(false)) { return true; }
    struct Stuck {
        std::atomic<bool>& flag;
        ~Stuck() { flag.store(false); }
    } const stuck{here->stuck};
    // seq_cst: of two that get stuck at once, one sees the other.
    here->stuck.store(true);
    if (nobody_makes_room()) {
        core::throw_deadlock(
            "procpool: a task submits to its own pool, whose queue is full of tasks that wait for room in it");
    }
    os::nap();
    return true;
}

PROCPOOL_DECL void ThreadCrew::set_waiting(bool waiting) noexcept {
    if (ThreadWorker* const here = own_worker()) { here->waits.store(waiting, std::memory_order_relaxed); }
}

PROCPOOL_DECL ThreadCrew::ThreadWorker* ThreadCrew::own_worker() const noexcept {
    return is_in_task() && worker_of_thread_->loop != nullptr ? worker_of_thread_ : nullptr;
}

PROCPOOL_DECL bool ThreadCrew::nobody_makes_room() const noexcept {
    bool all_stuck = true;
    std::uint32_t uncollected = 0;
    for (const ThreadWorker& worker : std::span{workers_.get(), setup_.places}) {
        if (worker.is_stuck()) {
            uncollected |= worker.collects.load(std::memory_order_relaxed);
        } else {
            all_stuck = false;
        }
    }
    return std::ranges::all_of(board_.parents_slots(), [&](const task::Slot& slot) {
        const task::Word word{slot.word.load(std::memory_order_acquire)};
        if (word.phase() == task::Phase::blocked) { return all_stuck; }
        if (word.phase() == task::Phase::pending) {
            const auto index = static_cast<std::uint32_t>(&slot - board_.all_slots().data());
            const std::uint32_t place = board_.issue(index).place.load(std::memory_order_relaxed);
            return all_stuck || (slot.is_mailed() && workers_[place & ~task::Issue::mailed].stuck.load());
        }
        if (word.phase() == task::Phase::started) { return workers_[word.seat()].stuck.load(); }
        return word.finished() && slot.stays() && word.waited() &&
               (slot.waiters.load(std::memory_order_relaxed) & uncollected) != 0;
    });
}

PROCPOOL_DECL void ThreadCrew::prepare_seat(std::uint32_t index) noexcept {
    task::Seat& seat = board_.seats()[index];
    seat.index.store(index, std::memory_order_relaxed);
    seat.pid.store(os::this_process(), std::memory_order_relaxed);
    seat.state.store(task::SeatState::starting, std::memory_order_relaxed);
    board_.control.workers_started.fetch_add(1, std::memory_order_relaxed);
}

PROCPOOL_DECL void ThreadCrew::watch_deadlines() {
    worker::Deadlines deadlines{board_};
    std::unique_lock lock{timing_};
    while (!has_ended()) {
        rung_ = false;
        const Clock::time_point next = deadlines.arm([&] {
            return deadlines.look(
                [&](std::uint32_t slot, task::Word word) {
                    board_.request_stop_if(slot, [&](task::Word now) { return now.generation() == word.generation(); });
                },
                [](task::Word) {});
        });
        if (next == Clock::time_point::max()) {
            rang_.wait(lock, [this] { return rung_ || has_ended(); });
        } else {
            rang_.wait_until(lock, next, [this] { return rung_ || has_ended(); });
        }
    }
}

PROCPOOL_DECL void ThreadCrew::end_timer() {
    {
        const std::lock_guard guard{timing_};
        rung_ = true;
    }
    rang_.notify_one();
    if (timer_.joinable()) { timer_.join(); }
}

PROCPOOL_DECL void ThreadCrew::work(
    std::uint32_t index) {  // not noexcept: a task may end the thread by pthread_exit(), which unwinds it
    /// Says that this worker has ended, however it ends; the last one decides what is left.
    struct Leave {
        ThreadCrew& crew;
        ~Leave() { crew.leave(); }
    } const leave{*this};
    const os::InProgramCode here;
    task::thread_context = {
        .in_worker = true, .index = index, .pid = os::this_process(), .pool = board_.control.name.data()};
    client::crew_of_thread = this;
    client::client_of_thread = &client_;
    worker_of_thread_ = &workers_[index];
    worker::bind_worker(board_, setup_, index);
    setup_.inner_threads.set_for_thread();
    task::Seat& seat = board_.seats()[index];
    std::unique_ptr<worker::State> state;
    if (initialize(index, state)) {
        seat.state.store(task::SeatState::ready, std::memory_order_release);
        board_.from_workers.ready_count.fetch_add(1, std::memory_order_relaxed);
        {
            worker::Loop loop{board_, index, thread_hooks};
            workers_[index].loop = &loop;
            for (bool ends = false; !ends;) {
                rest(index);
                ends = !board_.control.goes_on();  // before it looks for tasks: then no more of them come
                loop.run();
            }
            workers_[index].loop = nullptr;
        }
        worker::finalize(setup_, index, std::move(state));
    }
}

PROCPOOL_DECL void ThreadCrew::rest(std::uint32_t index) {
    task::Seat& seat = board_.seats()[index];
    std::atomic<bool>& rests = workers_[index].rests;
    const auto is_wanted = [&] { return seat.dismissal.load(std::memory_order_relaxed) == task::Dismissal::none; };
    rests.store(!is_wanted(), std::memory_order_relaxed);
    while (!is_wanted() && board_.mailboxes()[index].was_empty() && board_.control.goes_on()) {
        seat.parker.park(Deadline::never());
    }
    if (is_wanted()) { rests.store(false, std::memory_order_relaxed); }
}

PROCPOOL_DECL bool ThreadCrew::initialize(std::uint32_t index, std::unique_ptr<worker::State>& state) noexcept {
    return worker::initialize(setup_, index, state, [this](const std::string& reason) {
        worker::break_pool(board_, reason, log::subject_here());
        board_.lose_all_pending(Ending::broken);
        board_.wake_seats();  // those that rest are not among the sleepers
        board_.notify_parent();
    });
}

PROCPOOL_DECL void ThreadCrew::leave() noexcept {
    // acq_rel: the last one sees all that the others did.
    if (alive_.fetch_sub(1, std::memory_order_acq_rel) != 1) { return; }
    board_.control.advance(task::Life::closing);
    board_.lose_all(task::ending_by(board_.control.life.load()));
    board_.control.ended.store(1, std::memory_order_release);
    board_.notify_parent();
}

}  // namespace procpool::detail::engine

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/log/report.hpp>
#include <procpool/os/children.hpp>
#include <procpool/os/exit_hook.hpp>
#include <procpool/os/own_stack.hpp>
#include <procpool/os/probes.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/region_file.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/thread_locals.hpp>
#include <procpool/sync/member.hpp>
#include <procpool/worker/break_pool.hpp>
#include <procpool/worker/supervisor.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <string_view>
#include <system_error>

namespace procpool::inline v0::detail::worker {

[[noreturn]] PROCPOOL_DECL void Supervisor::run() {
    os::reset_all_signals();
    os::lead_group(0);  // a signal to the program's group leaves it to end the workers
    os::ThreadLocals::forget();
    watch_ = os::LifeLine::watch_parent(std::move(parent_), false);
    os::SignalsAtEnd::ask(watch_.pipe(), SIGCONT);  // to see the end also when it is stopped
    os::hook_exits(leave_on_exit);                  // for its workers
    name_process(setup_.name + "+", 0);
    board_.control.supervisor_pid.store(os::this_process(), std::memory_order_relaxed);
    if (board_.guests.are_open_to_all()) {
        try {
            board_.control.supervisor.store(sync::Members::own(), std::memory_order_release);
        } catch (const std::exception&) {  // its guests look at what else there is
        }
    }
    children_ = os::watch_children();
    if (!children_) { fail_to_start(errno); }
    try {
        life_.emplace();
    } catch (const std::system_error& error) { fail_to_start(error.code().value()); }
    if (companion_.is_wanted()) {
        if (const int error = spawn_companion(); error != 0) { fail_to_start(error); }
    }
    memory_guard_.start();
    size_ = board_.control.workers.load(std::memory_order_seq_cst);
    for (std::uint32_t index = 0; index < workers_.size() && !stopping(); ++index) {
        if (index >= size_ && !is_spare(index)) { continue; }
        if (const int error = spawn(index); error != 0) { fail_to_start(error); }
    }
    board_.control.workers_forked.store(1, std::memory_order_release);
    board_.notify_parent();
    while (!may_end()) {
        apply_life();
        sleep();
        reap_all();
        if (companion_.has_ended()) { companion_.lose_mail(casualties_); }
        bypass_stopped_workers();
        check_start_times();
        auditor_.audit(
            is_ending(), [this](std::uint32_t seat) { return is_occupied(seat); },
            [this](std::uint32_t seat) { kill_worker_on(seat); });
        memory_guard_.look([this](std::uint32_t seat) { kill_worker_on(seat); },
                           [this](std::uint32_t seat) { replace_worker_on(seat); });
        fit_to_size();
        spawn_what_is_due();
    }
    if (stopping() || !reforking()) {
        settle_everything();
    } else {
        board_.control.orders.set(task::Refork::done);
    }
    os::leave(EXIT_SUCCESS);
}

PROCPOOL_DECL bool Supervisor::reforking() const noexcept {
    return board_.control.orders.look().refork() != task::Refork::none;
}

PROCPOOL_DECL bool Supervisor::is_occupied(std::uint32_t seat) const noexcept {
    return std::any_of(workers_.begin(), workers_.end(),
                       [seat](const Worker& worker) { return worker.pid != 0 && worker.seat == seat; }) ||
           (board_.is_companions(seat) && companion_.runs());
}

PROCPOOL_DECL std::optional<std::uint32_t> Supervisor::vacant_seat() noexcept {
    const auto seats = board_.seats().first(board_.workers_seats());
    for (std::size_t tried = 0; tried < seats.size(); ++tried) {
        next_seat_ = (next_seat_ + 1) % static_cast<std::uint32_t>(seats.size());
        if (!is_occupied(next_seat_)) { return next_seat_; }
    }
    return std::nullopt;
}

PROCPOOL_DECL int Supervisor::spawn(std::uint32_t index) noexcept {
    const std::optional<std::uint32_t> number = vacant_seat();
    if (!number) { return EAGAIN; }
    task::Seat& seat = board_.seats()[*number];
    seat.parker.reset();
    seat.stopper.reset();
    deadlines_.forget(*number);
    seat.items_done.store(0, std::memory_order_relaxed);
    seat.dismissal.store(task::Dismissal::none, std::memory_order_relaxed);
    seat.crash.count = 0;
    seat.index.store(index, std::memory_order_seq_cst);  // see Board::wake_for_mail()
    seat.current.store(0, std::memory_order_relaxed);
    seat.inner.store(0, std::memory_order_relaxed);
    seat.outer_item.store(0, std::memory_order_relaxed);
    seat.before.store(seat.completed.load(std::memory_order_relaxed) + seat.failed.load(std::memory_order_relaxed),
                      std::memory_order_relaxed);
    const Clock::time_point now = Clock::now();
    seat.started_at.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    seat.pid.store(
        0,
        std::memory_order_relaxed);  // not its predecessor's: a program may signal the numbers that workers() returns
    board_.sitter(*number).store(0, std::memory_order_relaxed);
    seat.state.store(task::SeatState::starting, std::memory_order_release);
    board_.actor.begins();
    memory_guard_.begin(*number);
    const pid_t self = os::this_process();
    const pid_t pid = os::try_fork();
    if (pid == 0) { live({board_, setup_, *number, index, self}); }
    if (pid < 0) {
        const int error = errno;
        seat.state.store(task::SeatState::vacant, std::memory_order_relaxed);
        board_.actor.failed_to_begin();
        return error;
    }
    os::lead_group(pid);  // also here, so that its group exists whichever process runs first
    seat.pid.store(pid, std::memory_order_relaxed);
    board_.sitter(*number).store(pid, std::memory_order_relaxed);
    workers_[index] = {.pid = pid, .seat = *number, .started_at = now, .idle_since = now};
    if (setup_.idle_timeout.count() != 0) {
        look_for_idle_at_ = std::min(look_for_idle_at_, now + setup_.idle_timeout);
    }
    board_.control.workers_started.fetch_add(1, std::memory_order_relaxed);
    announcer_.started(index, pid);
    return 0;
}

PROCPOOL_DECL int Supervisor::spawn_companion() noexcept {
    companion_.seat(0);
    const pid_t self = os::this_process();
    const pid_t pid = os::try_fork();
    if (pid == 0) { live({board_, setup_, board_.workers_seats(), setup_.places, self, &companion_}); }
    const int error = errno;
    companion_.seat(pid);
    if (pid < 0) { return error; }
    os::lead_group(pid);
    return 0;
}

[[noreturn]] PROCPOOL_DECL void Supervisor::live(Start start) noexcept {
    children_.close();
    bell_.close();
    os::RegionFile::close_inherited(nullptr);
    watch_ = {};
    os::LifeLine::forget();
    life_->writing.close();
    os::SignalsAtEnd::ask(life_->reading.number(), SIGKILL);
    if (os::is_at_end(life_->reading.number())) { os::leave(EXIT_FAILURE); }
    life_->reading.close();
    name_process(start.companion != nullptr ? setup_.name + "*" : setup_.name, start.index);
    if (!setup_.on_first_stack) {
        os::run_on_own_stack([](void* what) { static_cast<const Start*>(what)->run(); }, &start);
    }
    start.run();
}

[[noreturn]] PROCPOOL_DECL void Supervisor::fail_to_start(int error) noexcept {
    kill_all(SIGKILL);
    companion_.signal(SIGKILL);
    os::reap_all_children();
    board_.control.start_error.store(error, std::memory_order_release);
    board_.notify_parent();
    os::leave(EXIT_FAILURE);
}

PROCPOOL_DECL void Supervisor::spawn_what_is_due() noexcept {
    const Clock::time_point now = Clock::now();
    // Workers of a closed pool leave when nothing is left, and then a task may be put back that its last worker
    // died over.
    const auto is_gone = [](const Worker& worker) {
        return worker.pid == 0 && worker.respawn_at == Clock::time_point::max();
    };
    const bool all_gone = !workers_.empty() && workers_.back().pid == 0 &&
                          std::all_of(workers_.begin(), workers_.begin() + setup_.places, is_gone);
    if (all_gone && needs_workers()) { workers_.front().respawn_at = now; }
    for (std::uint32_t index = 0; index < workers_.size(); ++index) {
        Worker& worker = workers_[index];
        // Its mail may have been hidden, by a task's wild write, when the worker left.
        const bool is_missed = is_gone(worker) && !is_spare(index) && has_mail(index);
        if (worker.pid != 0 || (worker.respawn_at > now && !is_missed) || !may_begin_life()) { continue; }
        const bool is_wanted = is_spare(index) ? life() == task::Life::open : index < size_ || has_mail(index);
        if (!is_wanted || !(needs_workers() || has_mail(index))) {
            worker.respawn_at = Clock::time_point::max();
        } else if (const int error = spawn(index); error != 0) {
            if (fork_delay_ == fork_delay_.zero()) { announcer_.refused(index, error); }
            fork_delay_ = std::clamp(fork_delay_ * 2, milliseconds{10}, milliseconds{1000});
            worker.respawn_at = now + fork_delay_;
        } else {
            fork_delay_ = {};
            if (index >= size_ && !is_spare(index)) { dismiss(worker, task::Dismissal::surplus); }  // it has mail
        }
    }
}

PROCPOOL_DECL bool Supervisor::may_begin_life() const noexcept {
    return !setup_.actor || !setup_.actor->each_allowed ||
           board_.actor.lives.load(std::memory_order_relaxed) < board_.actor.allowed.load(std::memory_order_acquire) ||
           life() != task::Life::open;  // finishes what was accepted, without another life after that
}

PROCPOOL_DECL bool Supervisor::needs_workers() const noexcept {
    return !reforking() && (life() == task::Life::open ||
                            (life() == task::Life::closing && (!board_.queue.was_empty() || board_.has_blocked())));
}

PROCPOOL_DECL bool Supervisor::has_mail(std::uint32_t index) const noexcept {
    return !stopping() && !reforking() && board_.has_mail(index);
}

PROCPOOL_DECL void Supervisor::sleep() noexcept {
    const auto readable =
        os::wait_any_readable<4>({children_.number(), bell_.number(), watch_.process(), watch_.pipe()},
                                 Deadline{deadlines_.arm([this] { return std::min(next_time(), next_deadline()); })});
    if ((readable[2] || readable[3] || watch_.must_ask()) && watch_.is_gone()) {
        kill_all(SIGKILL);
        end_companion();
        os::leave(EXIT_FAILURE);
    }
    bell_.lower();
    os::drain_signals(children_);
}

/// The other machines should not have to wait for a silence.
PROCPOOL_DECL void Supervisor::end_companion() noexcept {
    constexpr std::chrono::milliseconds longest{800};
    const Deadline deadline = Deadline::after(longest);
    board_.control.program_ended.store(1, std::memory_order_relaxed);  // released by life, which the companion sees
    board_.control.advance(task::Life::killed);
    companion_.notify();
    while (companion_.runs() && !deadline.passed()) {
        static_cast<void>(os::wait_any_readable<1>({children_.number()}, deadline));
        os::drain_signals(children_);
        while (const std::optional<os::EndedChild> ended = os::ended_child()) {
            if (ended->pid == companion_.pid()) { return; }
            os::reap(ended->pid);
        }
    }
    companion_.signal(SIGKILL);
}

PROCPOOL_DECL Clock::time_point Supervisor::next_time() const noexcept {
    Clock::time_point next = Clock::time_point::max();
    if (watch_.must_ask()) { next = Clock::now() + milliseconds{100}; }
    next = std::min(next, memory_guard_.next_time());
    next = std::min(next, auditor_.next_time(is_ending()));
    if (life() == task::Life::terminated) { next = std::min(next, kill_at_); }
    next = std::min({next, companion_.next_time(), look_for_idle_at_, look_for_demand_at_});
    for (const Worker& worker : workers_) {
        if (worker.pid == 0 && !may_begin_life()) { continue; }
        next = std::min(next, worker.pid == 0 ? worker.respawn_at : start_deadline(worker));
    }
    return next;
}

PROCPOOL_DECL Clock::time_point Supervisor::start_deadline(const Worker& worker) const noexcept {
    const task::Seat& seat = board_.seats()[worker.seat];
    if (stopping() || seat.state.load(std::memory_order_acquire) != task::SeatState::starting ||
        (setup_.actor && board_.actor.has_died())) {
        return Clock::time_point::max();
    }
    const Clock::time_point started = worker.started_at;  // the seat's own is what its worker could say
    const auto longest = std::chrono::floor<milliseconds>(Clock::time_point::max() -
                                                          started);  // in the units of the timeout: it may be huge
    return setup_.start_timeout > longest ? Clock::time_point::max() : started + setup_.start_timeout;
}

PROCPOOL_DECL void Supervisor::check_start_times() noexcept {
    for (const Worker& worker : workers_) {
        if (worker.pid == 0 || start_deadline(worker) > Clock::now()) { continue; }
        if (setup_.actor) {  // a death like any other
            board_.from_workers.set_reason("the actor's constructor took longer than " +
                                           std::to_string(setup_.start_timeout.count()) + " ms");
            kill_worker_on(worker.seat);
            continue;
        }
        break_pool(
            "a worker did not finish its initializer within " + std::to_string(setup_.start_timeout.count()) + " ms",
            announcer_.subject(board_.seats()[worker.seat].index.load(std::memory_order_relaxed), worker.pid));
    }
}

PROCPOOL_DECL Clock::time_point Supervisor::next_deadline() noexcept {
    // A call that has died with its process and is held back is not late too.
    if (setup_.actor && board_.actor.has_died()) { return Clock::time_point::max(); }
    return deadlines_.look(
        [&](std::uint32_t slot, task::Word word) {
            if (board_.condemn(slot, word.generation(), Ending::timed_out)) { kill_worker_on(word.seat()); }
        },
        [&](task::Word word) { kill_worker_on(word.seat()); });
}

PROCPOOL_DECL void Supervisor::kill_worker_on(std::uint32_t seat) noexcept {
    if (board_.is_companions(seat)) {
        board_.seats()[seat].stopper.notify();  // as a request to stop
        return companion_.notify();
    }
    for (const Worker& worker : workers_) {
        if (worker.pid != 0 && worker.seat == seat) { os::signal_group(worker.pid, SIGKILL); }
    }
}

PROCPOOL_DECL void Supervisor::replace_worker_on(std::uint32_t seat) noexcept {
    for (Worker& worker : workers_) {
        if (worker.pid != 0 && worker.seat == seat && worker.dismissed == task::Dismissal::none) {
            dismiss(worker, task::Dismissal::replaced);
        }
    }
}

PROCPOOL_DECL void Supervisor::break_pool(const std::string& reason, const log::LogSubject& about) noexcept {
    worker::break_pool(board_, reason, about);
    apply_life();
}

PROCPOOL_DECL void Supervisor::apply_life() noexcept {
    if (setup_.actor &&
        board_.actor.unwanted.load(std::memory_order_acquire) >= board_.actor.lives.load(std::memory_order_relaxed)) {
        kill_all(SIGKILL);
    }
    if (stopping()) { companion_.end(setup_.terminate_grace + companions_grace); }
    switch (life()) {
        case task::Life::open:
        case task::Life::closing: return;
        case task::Life::terminated:
            if (kill_at_ == Clock::time_point::max()) {
                kill_at_ = Deadline::after(setup_.terminate_grace).when();
                for (const Worker& worker : workers_) {
                    if (worker.pid != 0) { os::signal_child(worker.pid, SIGTERM); }
                }
            } else if (Clock::now() >= kill_at_) {
                kill_all(SIGKILL);
            }
            return;
        case task::Life::killed:
        case task::Life::broken: kill_all(SIGKILL); return;
    }
}

PROCPOOL_DECL void Supervisor::kill_all(int signal) noexcept {
    for (const Worker& worker : workers_) {
        if (worker.pid != 0) { os::signal_group(worker.pid, signal); }
    }
}

PROCPOOL_DECL bool Supervisor::may_end() const noexcept {
    const bool anybody =
        std::any_of(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.pid != 0; });
    return !anybody && !companion_.runs() &&
           (stopping() || reforking() ||
            (life() == task::Life::closing && board_.queue.was_empty() && !board_.has_mail()));
}

PROCPOOL_DECL void Supervisor::settle_everything() noexcept {
    board_.lose_all(task::ending_by(life()));
    board_.control.ended.store(1, std::memory_order_release);  // after the words: a reader of it finds them decided
    board_.notify_parent();
}

PROCPOOL_DECL void Supervisor::reap_all() noexcept {
    while (const std::optional<os::EndedChild> ended = os::ended_child()) {
        os::signal_group(ended->pid,
                         SIGKILL);  // its child processes; the zombie keeps the number from being used again
        const auto dead = std::find_if(workers_.begin(), workers_.end(),
                                       [&](const Worker& worker) { return worker.pid == ended->pid; });
        if (dead != workers_.end()) {
            if (setup_.actor && setup_.actor->each_allowed && holds_death_back(*dead, *ended)) { return; }
            settle(*dead, *ended);
        }
        if (ended->pid == companion_.pid()) { settle_companion(*ended); }
        os::reap(ended->pid);
    }
}

PROCPOOL_DECL void Supervisor::bypass_stopped_workers() noexcept {
    for (pid_t pid = os::stopped_child(); pid != 0; pid = os::stopped_child()) {
        const auto stopped =
            std::find_if(workers_.begin(), workers_.end(), [&](const Worker& worker) { return worker.pid == pid; });
        if (stopped == workers_.end() && pid != companion_.pid()) { continue; }
        const std::uint32_t seat = stopped != workers_.end() ? stopped->seat : board_.workers_seats();
        board_.spinning.remove(seat);
        board_.sleeping.remove(seat);
        board_.guests.helping.remove(seat);
        notify_again();
        for (std::uint32_t its = seat; its == seat || (board_.is_companions(its) && its < board_.seats().size());
             ++its) {
            board_.release_for(its);
        }
        board_.queue.mark_all_levels();  // the dead worker may have marked a priority as empty, and not looked again
        if (!board_.queue.was_empty()) { board_.wake_one(); }
    }
}

PROCPOOL_DECL void Supervisor::notify_again() noexcept {
    for (std::uint32_t i = 0; i < board_.seats().size(); ++i) {
        sync::Parker& parker = board_.seats()[i].parker;
        parker.notify_again_if_interrupted();
        if (!board_.sleeping.contains(i)) { parker.notify(); }
    }
}

inline void Supervisor::probe_end(const task::Seat& seat, task::SeatState state, bool unasked,
                                  const os::EndedChild& ended) const noexcept {
    const char* const pool = board_.control.name.data();
    const std::uint32_t index = seat.index.load(std::memory_order_relaxed);
    if (unasked) {
        const bool signaled = ended.status.signaled();
        os::probe::death(pool, index, ended.pid, signaled ? ended.status.signal() : 0,
                         signaled ? 0 : ended.status.code());
    } else if (state == task::SeatState::leaving && board_.control.goes_on()) {
        os::probe::recycle(pool, index, ended.pid, seat.items_done.load(std::memory_order_relaxed));
    }
}

PROCPOOL_DECL void Supervisor::settle(Worker& worker, const os::EndedChild& ended) noexcept {
    task::Seat& seat = board_.seats()[worker.seat];
    const task::SeatState state = seat.state.load(std::memory_order_acquire);
    const bool unasked = state != task::SeatState::leaving && !stopping();
    // Before the words: a thread that learns of the death from its task finds it in workers() and stats() too.
    seat.state.store(task::SeatState::vacant, std::memory_order_release);
    board_.sitter(worker.seat).store(task::Board::nobody, std::memory_order_relaxed);
    if (unasked) {
        board_.control.workers_died.fetch_add(1, std::memory_order_relaxed);
        board_.head.count_death(ended.status.signaled() ? ended.status.signal() : 0);
    }
    if (setup_.actor && !board_.actor.has_died()) { note_death_of_actor(seat, unasked, ended); }
    const bool had_task = casualties_.settle(worker.seat, ended, {}, memory_guard_.excess_of(worker.seat));
    board_.release_for(worker.seat);
    sweep_guests();
    announcer_.ended(seat, state, unasked && !had_task, ended);
    probe_end(seat, state, unasked, ended);
    board_.queue.mark_all_levels();
    board_.mark_all_mail();
    board_.sleeping.remove(worker.seat);
    board_.spinning.remove(worker.seat);
    board_.guests.helping.remove(worker.seat);
    notify_again();
    if (!board_.queue.was_empty()) { board_.wake_for_new_task(); }
    board_.wake_for_ready();
    if (setup_.recycles) {
        std::uint32_t offered = worker.seat + 1;  // a dead spare worker takes no index
        board_.from_workers.spare.compare_exchange_strong(offered, 0, std::memory_order_seq_cst);
        std::uint32_t waiting = worker.seat + 1;
        board_.from_workers.retiree.compare_exchange_strong(waiting, 0, std::memory_order_seq_cst);
        seat_spare(worker);
    }
    Worker& vacant = worker.pid == ended.pid ? worker : workers_.back();
    vacant.pid = 0;
    const bool is_surplus = vacant.dismissed == task::Dismissal::surplus &&
                            !is_spare(static_cast<std::uint32_t>(&vacant - workers_.data()));
    vacant.respawn_at = is_surplus ? Clock::time_point::max() : Clock::now();
    board_.control.deaths.fetch_add(1, std::memory_order_seq_cst);
    if (state == task::SeatState::leaving && board_.control.goes_on() && !is_surplus) {
        board_.control.workers_recycled.fetch_add(1, std::memory_order_relaxed);
    }
    if (unasked) { count_death(vacant, state, ended); }
    board_.notify_parent();
}

PROCPOOL_DECL void Supervisor::settle_companion(const os::EndedChild& ended) noexcept {
    // A task that a submitter moved within the queue, when the companion looked there for the last time, is left.
    const bool left_any = workers_.empty() && !board_.queue.was_empty();
    const bool unasked = life() == task::Life::open || ended.status != ExitStatus::from_code(0) || left_any;
    companion_.settle(casualties_, ended);
    board_.control.deaths.fetch_add(1, std::memory_order_seq_cst);
    if (unasked && !stopping()) {
        const log::LogSubject about = announcer_.subject(log::LogSubject{}.worker, ended.pid);
        const std::string what =
            "the process that speaks to other machines, " + std::to_string(ended.pid) + ", " + to_string(ended.status);
        if (workers_.empty()) {
            break_pool(what, about);
        } else {
            log::report(LogLevel::error, about, "{}: the pool goes on with the workers of this machine", what);
        }
    }
    board_.notify_parent();
}

PROCPOOL_DECL void Supervisor::sweep_guests() noexcept {
    if (board_.guests.was_in_use() == 0) { return; }
    static_cast<void>(board_.guests.sweep(board_.results, task::Guests::own_stamp()));
}

PROCPOOL_DECL void Supervisor::note_death_of_actor(const task::Seat& seat, bool unasked,
                                                   const os::EndedChild& ended) noexcept {
    core::Death death{ended.pid, ended.status};
    if (seat.crash.is_cause_of(ended.pid, ended.status)) { death.crash = seat.crash; }
    const log::LogSubject about = announcer_.subject(0, ended.pid);
    if (const std::string_view reason = board_.from_workers.reason(); !reason.empty()) {
        log::report(LogLevel::warning, about, "{}", reason);
        reason.copy(death.reason.data(), death.reason.size());
        board_.from_workers.forget_reason();
    }
    board_.actor.died(death);
    if (!unasked) { return; }
    const bool goes_on = setup_.actor->each_allowed ? board_.actor.may_follow() && life() == task::Life::open
                                                    : restarts_.take(Clock::now());
    if (!goes_on && board_.control.advance(task::Life::broken)) {
        log::report(LogLevel::error, about, "the actor is dead: its process, {}, {}", ended.pid,
                    to_string(ended.status));
    }
}

PROCPOOL_DECL bool Supervisor::holds_death_back(const Worker& dead, const os::EndedChild& ended) noexcept {
    task::ActorRecord& actor = board_.actor;
    if (!actor.has_died()) {
        const task::Seat& seat = board_.seats()[dead.seat];
        const bool unasked = seat.state.load(std::memory_order_acquire) != task::SeatState::leaving && !stopping();
        note_death_of_actor(seat, unasked, ended);
        board_.notify_parent();
    }
    // acquire: whoever learns of the death finds done what the parent did before it allowed that.
    return life() == task::Life::open &&
           actor.told.load(std::memory_order_acquire) < actor.deaths.load(std::memory_order_relaxed);
}

PROCPOOL_DECL void Supervisor::seat_spare(Worker& dead) noexcept {
    Worker& spare = workers_.back();
    if (&dead == &spare || spare.pid == 0) { return; }
    task::Seat& seat = board_.seats()[spare.seat];
    const auto index = static_cast<std::uint32_t>(&dead - workers_.data());
    if (seat.index.load(std::memory_order_acquire) == index) {
        std::swap(dead, spare);
    } else if (seat.index.load(std::memory_order_acquire) == setup_.places &&
               seat.state.load(std::memory_order_acquire) == task::SeatState::ready) {
        // The dead worker may have taken the spare and got no further. seq_cst: as wait_for_index(), where the spare
        // looks at life again.
        board_.from_workers.spare.store(spare.seat + 1, std::memory_order_seq_cst);
        seat.parker.notify();
        board_.wake_retiree();
    }
}

PROCPOOL_DECL void Supervisor::count_death(Worker& worker, task::SeatState state, const os::EndedChild& ended) {
    const log::LogSubject about = announcer_.subject(static_cast<std::uint32_t>(&worker - workers_.data()), ended.pid);
    if (state == task::SeatState::failed && !setup_.actor) {
        break_pool("", about);
        return;
    }
    const std::uint32_t ready = board_.from_workers.ready_count.load(std::memory_order_relaxed);
    if (state == task::SeatState::ready || ready != ready_at_last_death_) { deaths_before_ready_ = 0; }
    ready_at_last_death_ = ready;
    if (state == task::SeatState::ready) { return; }
    ++deaths_before_ready_;
    // Without an initializer no code of the program runs before a worker is ready: they are killed from outside, and
    // that may stop.
    const std::size_t most = setup_.initializer ? std::max<std::size_t>(3, workers_.size()) : 30 + workers_.size();
    if (deaths_before_ready_ >= most && !setup_.actor) {
        break_pool(std::to_string(deaths_before_ready_) +
                       " workers in a row died before they were ready; the last one, " + std::to_string(ended.pid) +
                       ", " + to_string(ended.status),
                   about);
    }
    constexpr std::array<int, 8> delays{0, 0, 1, 10, 20, 50, 100, 200};
    if (worker.respawn_at == Clock::time_point::max()) { return; }
    worker.respawn_at += milliseconds{delays[std::min<std::size_t>(deaths_before_ready_ - 1, delays.size() - 1)]};
}

}  // namespace procpool::detail::worker

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/scope.hpp>
#include <procpool/engine/fork.hpp>
#include <procpool/log/report.hpp>
#include <procpool/os/backtrace.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/modules.hpp>
#include <procpool/os/own_stack.hpp>
#include <procpool/os/program_lock.hpp>
#include <procpool/os/region_file.hpp>
#include <procpool/os/sanitizer.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/streams.hpp>
#include <procpool/os/thread_locals.hpp>
#include <procpool/shm/heap.hpp>
#include <procpool/task/thread_context.hpp>
#include <procpool/worker/supervisor.hpp>

#include <cerrno>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>

namespace procpool::inline v0::detail::engine {

PROCPOOL_DECL ForkCrew::ForkCrew(client::Client& client, worker::Setup setup)
    : client_(client),
      board_(client.board()),
      setup_(std::move(setup)) {
    supervisor_ = start();
}

PROCPOOL_DECL ForkCrew::~ForkCrew() {
    if (reaped_) { return; }
    if (supervisor_->signal(SIGKILL)) {  // not joined: the workers die with it
        static_cast<void>(supervisor_->wait_for_end(Deadline::never()));
    } else {  // a filter of system calls refuses that: then it is asked
        board_.control.advance(task::Life::killed);
        ring();
        constexpr std::chrono::seconds longest{10};
        if (!supervisor_->wait_for_end(Deadline::after(longest))) { return; }
    }
    supervisor_->reap();
}

PROCPOOL_DECL void ForkCrew::ring() noexcept {
    {
        const std::lock_guard guard{mutex_};
        if (bell_.raise()) { return; }
    }
    // The supervisor's own copy is still open, but no process can raise that. The signal of a child's end wakes the
    // supervisor as well.
    if (!told_.exchange(true, std::memory_order_relaxed)) {
        log::report(
            LogLevel::warning, {.pool = board_.control.name.data()},
            "the program has closed descriptor {}, an eventfd of the pool: its supervisor is woken by signals now",
            bell_.number());
    }
    current().first->signal(SIGCHLD);
}

PROCPOOL_DECL bool ForkCrew::has_ended() noexcept {
    if (reaped_) { return true; }
    const auto [supervisor, change] = current();
    return !is_reforking(change) && supervisor->has_ended() && changes_.load() == change;
}

PROCPOOL_DECL bool ForkCrew::join(Deadline deadline) {
    for (;;) {
        const auto [supervisor, change] = current();
        if (reaped_) { return true; }
        if (!is_reforking(change) && !supervisor->wait_for_end(deadline)) { return false; }
        std::unique_lock lock{mutex_};
        if (is_reforking(changes_)) {
            const auto settled = [this] { return !is_reforking(changes_); };
            if (deadline.is_never()) {
                changed_.wait(lock, settled);
            } else if (!changed_.wait_until(lock, deadline.when(), settled)) {
                return false;
            }
        } else if (changes_ == change) {
            if (!reaped_.exchange(true)) { supervisor_->reap(); }
            return true;
        }
    }
}

PROCPOOL_DECL void ForkCrew::resize(std::uint32_t workers) {
    // seq_cst: written before the ring, after which the supervisor looks here.
    board_.control.workers.store(workers, std::memory_order_seq_cst);
    ring();
}

PROCPOOL_DECL void ForkCrew::refork() {
    const std::lock_guard one_at_a_time{reforking_};
    const Change change{*this};
    task::Control& control = board_.control;
    client_.region_file().reopen(supervisor_->pid());  // while the old one has it
    const core::OnExit closes_file{[this] { client_.region_file().close(); }};
    control.orders.set(task::Refork::asked);
    board_.wake_all();
    ring();
    static_cast<void>(supervisor_->wait_for_end(Deadline::never()));
    // Sees what the old one has settled. If it has not said so, the pool was stopped, or it was killed.
    const bool done = control.orders.look().refork() == task::Refork::done;
    control.orders.set(task::Refork::none);
    if (!done || reaped_) { return; }
    supervisor_->reap();
    control.workers_forked.store(0, std::memory_order_relaxed);
    try {
        replace(start());
    } catch (const std::exception& error) {
        board_.from_workers.set_reason("refork() failed: " + std::string(error.what()));
        reaped_ = true;
        throw;
    }
}

PROCPOOL_DECL std::pair<ForkCrew::Supervisor, std::uint64_t> ForkCrew::current() {
    const std::lock_guard guard{mutex_};
    return {supervisor_, changes_};
}

PROCPOOL_DECL void ForkCrew::replace(Supervisor supervisor) {
    const std::lock_guard guard{mutex_};
    supervisor_ = std::move(supervisor);
}

PROCPOOL_DECL ForkCrew::Supervisor ForkCrew::start() {
    const std::lock_guard one_at_a_time{os::forking};
    if (!bell_.is_intact()) {  // the new supervisor would listen to a file of the program's
        os::Event fresh;
        const std::lock_guard guard{mutex_};
        bell_ = std::move(fresh);
    }
    const auto supervisor = std::make_shared<os::Child>();  // allocated before the fork, since it can fail
    line_ = os::LifeLine::lease();
    // Under a sanitizer a child cannot make threads safely: other threads may have held locks of the sanitizer's when
    // it was forked.
    setup_.on_first_stack = os::has_sanitizer() || os::on_first_stack();
    os::Descriptor parent = os::open_pidfd(os::this_process());
    worker::Supervisor in_child{board_, setup_, bell_, parent};  // here, so that the child need not allocate
    const auto code = std::make_unique<const os::Modules>(os::Modules::loaded_now());
    os::flush_standard_streams();
    pid_t pid = 0;
    {
        const os::AllSignalsBlocked blocked;
        pid = os::try_fork();
        if (pid == 0) {
            worker::parents_code = code.get();
            worker::is_parent_far = setup_.is_far;
            os::RegionFile::close_inherited(&client_.region_file());
            in_child.run();
        }
    }
    if (pid < 0) { os::throw_error(errno, "fork"); }
    client_.region_file().leave_to_child();
    *supervisor = os::Child{pid};
    wait_for_start(*supervisor);
    return supervisor;
}

PROCPOOL_DECL void ForkCrew::wait_for_start(const os::Child& supervisor) {
    const client::Parkers::Lease lease = client_.parkers().lease();
    const task::Control& control = board_.control;
    const auto is_up = [&] { return control.workers_forked.load(std::memory_order_acquire) != 0; };
    while (!is_up()) {
        if (control.start_error.load(std::memory_order_acquire) != 0 || (supervisor.has_ended() && !is_up())) {
            static_cast<void>(supervisor.wait_for_end(Deadline::never()));
            supervisor.reap();
            const int error = control.start_error.load(
                std::memory_order_acquire);  // again: it may have said why between the two looks
            os::throw_error(error != 0 ? error : ECHILD, "cannot fork as many workers as were asked for");
        }
        lease.park(Deadline::after(std::chrono::milliseconds{100}));
    }
}

PROCPOOL_DECL codec::Visibility place_for_workers(const void* address) {
    if (!os::may_be_address(address)) { return codec::Visibility::everywhere; }
    if (shm::is_shared_with_children(address)) { return codec::Visibility::shared; }
    if (os::reservations.hold(address) || os::in_loaded_module(address)) { return codec::Visibility::everywhere; }
    return os::is_readable(address) ? codec::Visibility::this_process : codec::Visibility::everywhere;
}

PROCPOOL_DECL void prepare_to_fork() {
    if (task::depth >= task::deepest) {
        throw std::logic_error("procpool: a pool within " + std::to_string(task::depth) + " others is too deep");
    }
    static_cast<void>(shm::Heap::of_this_process());
    os::prepare_backtraces();
    os::ThreadLocals::prepare();
}

}  // namespace procpool::detail::engine

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ForkEngine: tasks run in worker processes, forked by a supervisor process of the pool's own.

#include <procpool/client/client.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/life_line.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/modules.hpp>
#include <procpool/os/own_stack.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_lock.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/streams.hpp>
#include <procpool/os/thread_locals.hpp>
#include <procpool/shm/heap.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/setup.hpp>
#include <procpool/worker/supervisor.hpp>
#include <procpool/worker/this_worker.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace procpool::inline v0 {

namespace detail::engine {

/// What an address of an argument means to the workers.
[[nodiscard]] inline Place place_for_workers(const void* address) {
    if (!os::may_be_address(address)) { return Place::common; }
    if (shm::is_shared_with_children(address)) { return Place::shared; }
    if (os::reservations.hold(address) || os::in_loaded_module(address)) { return Place::common; }
    return os::is_readable(address) ? Place::private_ : Place::common;
}

class ForkCrew final : public client::Crew {
public:
    /// Effects: forks the supervisor, and returns when it has forked all workers.
    /// Throws: std::system_error when a process cannot be had; nobody and nothing is left then.
    ForkCrew(client::Client& client, worker::Setup setup)
        : client_(client),
          board_(client.board()),
          setup_(std::move(setup)) {
        supervisor_ = start();
    }

    ~ForkCrew() override {
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

    void ring() noexcept override {
        {
            const std::lock_guard guard{mutex_};
            if (bell_.raise()) { return; }
        }
        // The supervisor's own copy is still open, but nobody can raise that. What wakes it when a child of its own has
        // ended does as well.
        if (!told_.exchange(true, std::memory_order_relaxed)) {
            log::report(
                LogLevel::warning, {.pool = board_.control.name.data()},
                "the program has closed descriptor {}, an eventfd of the pool: its supervisor is woken by signals now",
                bell_.number());
        }
        current().first->signal(SIGCHLD);
    }
    [[nodiscard]] bool can_kill() const noexcept override { return true; }

    [[nodiscard]] bool has_ended() noexcept override {
        if (reaped_) { return true; }
        const auto [supervisor, change] = current();
        return !is_reforking(change) && supervisor->has_ended() && changes_.load() == change;
    }

    bool join(Deadline deadline) override {
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

    /// The supervisor cannot fork what it does not see, so it is replaced too: the old one leaves when its workers
    /// have, and the board is the next one's from then on. Never two at a time: a seat, the deadlines and the bell have
    /// one supervisor.
    void refork() override {
        const std::lock_guard one_at_a_time{reforking_};
        const Change change{*this};
        task::Control& control = board_.control;
        control.refork.store(task::Refork::asked, std::memory_order_seq_cst);
        board_.wake_all();
        ring();
        static_cast<void>(supervisor_->wait_for_end(Deadline::never()));
        // acquire: sees what the old one has settled. If it has not said so, the pool was stopped, or it was killed.
        const bool done = control.refork.load(std::memory_order_acquire) == task::Refork::done;
        control.refork.store(task::Refork::none, std::memory_order_seq_cst);
        if (!done || reaped_) { return; }
        supervisor_->reap();
        control.workers_up.store(0, std::memory_order_relaxed);
        try {
            replace(start());
        } catch (const std::exception& error) {
            board_.from_workers.set_reason("refork() failed: " + std::string(error.what()));
            reaped_ = true;
            throw;
        }
    }

private:
    using Supervisor = std::shared_ptr<const os::Child>;

    /// While it lives, nobody asks whether the supervisor has ended.
    class Change {
    public:
        explicit Change(ForkCrew& crew) : crew_(crew) { step(); }
        Change(const Change&) = delete;
        Change& operator=(const Change&) = delete;
        ~Change() { step(); }

    private:
        void step() {
            {
                const std::lock_guard guard{crew_.mutex_};
                ++crew_.changes_;
            }
            crew_.changed_.notify_all();
        }
        ForkCrew& crew_;
    };

    [[nodiscard]] static bool is_reforking(std::uint64_t changes) noexcept { return changes % 2 == 1; }
    [[nodiscard]] std::pair<Supervisor, std::uint64_t> current() {
        const std::lock_guard guard{mutex_};
        return {supervisor_, changes_};
    }
    void replace(Supervisor supervisor) {
        const std::lock_guard guard{mutex_};
        supervisor_ = std::move(supervisor);
    }

    [[nodiscard]] Supervisor start() {
        const std::lock_guard one_at_a_time{os::forking};
        if (!bell_.is_intact()) {  // the new supervisor would listen to a file of the program's
            os::Event fresh;
            const std::lock_guard guard{mutex_};
            bell_ = std::move(fresh);
        }
        const auto supervisor = std::make_shared<os::Child>();  // what can fail here comes before the fork
        line_ = os::LifeLine::lease();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        setup_.on_first_stack = true;  // a child cannot make threads safely: other threads may have held locks of the
                                       // sanitizer's when it was forked
#else
        setup_.on_first_stack = os::on_first_stack();
#endif
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
                in_child.run();
            }
        }
        if (pid < 0) { os::throw_error(errno, "fork"); }
        *supervisor = os::Child{pid};
        wait_for_start(*supervisor);
        return supervisor;
    }

    void wait_for_start(const os::Child& supervisor) {
        const client::Parkers::Lease lease = client_.parkers().lease();
        const task::Control& control = board_.control;
        const auto is_up = [&] { return control.workers_up.load(std::memory_order_acquire) >= setup_.workers; };
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

    client::Client& client_;
    task::Board& board_;
    worker::Setup setup_;
    os::LifeLine::Lease line_;
    os::Event bell_;                 // raised and written under mutex_
    std::atomic<bool> told_{false};  // that the program has closed it
    std::mutex reforking_;
    std::mutex mutex_;
    std::condition_variable changed_;
    Supervisor supervisor_;                  // written under mutex_
    std::atomic<std::uint64_t> changes_{0};  // written under mutex_
    std::atomic<bool> reaped_{false};        // set under mutex_ or while is_reforking()
};

}  // namespace detail::engine

/// Workers are processes: a task that crashes, leaks, hangs or exits costs that task.
struct ForkEngine {
    using Crew = detail::engine::ForkCrew;
    static constexpr bool shares_memory = false;  // spans and references outside shared memory do not travel
    static constexpr bool inherits_state = true;  // workers see the program's memory as it was when they were forked
    static constexpr bool contains_crashes = true;
    static constexpr std::size_t most_workers = SIZE_MAX;
    static constexpr PlaceOf place_of = detail::engine::place_for_workers;
    /// What must exist before workers are forked.
    /// Throws: std::logic_error in a worker of the deepest pool there may be: a task that builds a pool for itself must
    /// not end in as many processes as the system can hold.
    static void prepare() {
        if (detail::task::depth >= detail::task::deepest) {
            throw std::logic_error("procpool: a pool within " + std::to_string(detail::task::depth) +
                                   " others is too deep");
        }
        static_cast<void>(detail::shm::Heap::of_this_process());
        detail::os::prepare_backtraces();
        detail::os::ThreadLocals::prepare();
    }
};

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ForkEngine: tasks run in worker processes, forked by a supervisor process of the pool's own.

#include <procpool/core/deadline.hpp>
#include <procpool/engine/client.hpp>
#include <procpool/engine/crew.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/modules.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_lock.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/streams.hpp>
#include <procpool/shm/heap.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/setup.hpp>
#include <procpool/worker/supervisor.hpp>
#include <procpool/worker/this_worker.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

namespace procpool {

namespace engine {

/// What an address of an argument means to the workers.
[[nodiscard]] inline Place place_for_workers(const void* address) {
    if (!os::may_be_address(address)) { return Place::common; }
    if (shm::is_shared_with_children(address)) { return Place::shared; }
    if (os::reservations.hold(address) || os::in_loaded_module(address)) { return Place::common; }
    return os::is_mapped(address) ? Place::private_ : Place::common;
}

class ForkCrew final : public Crew {
public:
    /// Effects: forks the supervisor, and returns when it has forked all workers.
    /// Throws: std::system_error when a process cannot be had; nobody and nothing is left then.
    ForkCrew(Client& client, worker::Setup setup) : board_(client.board()), setup_(std::move(setup)) {
        const std::lock_guard one_at_a_time{constructing_};
        os::Descriptor parent = os::open_pidfd(os::this_process());
        const pid_t parent_pid = os::this_process();
        os::flush_standard_streams();
        pid_t pid = 0;
        {
            const os::AllSignalsBlocked blocked;
            pid = os::try_fork();
            if (pid == 0) {
                worker::Supervisor{board_, setup_, bell_, parent, parent_pid}.run();
            }
        }
        if (pid < 0) { os::throw_error(errno, "fork"); }
        supervisor_ = os::Child{pid};
        wait_for_start(client);
    }

    ~ForkCrew() override {
        if (reaped_) { return; }
        supervisor_.signal(SIGKILL);  // not joined: the workers die with it
        static_cast<void>(supervisor_.wait_for_end(Deadline::never()));
        supervisor_.reap();
    }

    void ring() noexcept override { bell_.raise(); }
    [[nodiscard]] bool can_kill() const noexcept override { return true; }
    [[nodiscard]] bool has_ended() noexcept override { return reaped_ || supervisor_.has_ended(); }

    bool join(Deadline deadline) override {
        if (!reaped_ && !supervisor_.wait_for_end(deadline)) { return false; }
        const std::lock_guard guard{reaping_};
        if (!reaped_.exchange(true)) { supervisor_.reap(); }
        return true;
    }

private:
    void wait_for_start(Client& client) {
        const Parkers::Lease lease = client.parkers().lease();
        const task::Control& control = board_.control;
        while (control.workers_up.load(std::memory_order_acquire) < setup_.workers) {
            const int error = control.start_error.load(std::memory_order_acquire);
            if (error != 0 || supervisor_.has_ended()) {
                static_cast<void>(join(Deadline::never()));
                os::throw_error(error != 0 ? error : ECHILD, "cannot fork as many workers as were asked for");
            }
            lease.park(Deadline::after(std::chrono::milliseconds{100}));
        }
    }

    /// One construction at a time in the program: what one opens for its supervisor, the other's does not inherit.
    static inline constinit os::ProgramLock constructing_{};

    task::Board& board_;
    worker::Setup setup_;
    os::Event bell_;
    os::Child supervisor_;
    std::mutex reaping_;
    std::atomic<bool> reaped_{false};
};

}  // namespace engine

/// Workers are processes: a task that crashes, leaks, hangs or exits costs that task.
struct ForkEngine {
    using Crew = engine::ForkCrew;
    static constexpr bool shares_memory = false;     // spans and references outside shared memory do not travel
    static constexpr bool inherits_state = true;     // workers see the program's memory as it was when they were forked
    static constexpr bool contains_crashes = true;
    static constexpr PlaceOf place_of = engine::place_for_workers;
    /// What must exist before workers are forked.
    /// Throws: std::logic_error in a worker of the deepest pool there may be: a task that builds a pool for itself must not end in as many
    /// processes as the system can hold.
    static void prepare() {
        if (worker::depth >= worker::deepest) {
            throw std::logic_error("procpool: a pool within " + std::to_string(worker::depth) + " others is too deep");
        }
        static_cast<void>(shm::Heap::of_this_process());
    }
};

}  // namespace procpool

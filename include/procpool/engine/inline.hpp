// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// InlineEngine: tasks run in the thread that submits them, when it submits them; for debugging.

#include <procpool/core/deadline.hpp>
#include <procpool/engine/client.hpp>
#include <procpool/engine/crew.hpp>
#include <procpool/engine/thread.hpp>
#include <procpool/os/process.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/log.hpp>
#include <procpool/worker/loop.hpp>
#include <procpool/worker/setup.hpp>
#include <procpool/worker/this_worker.hpp>

#include <cstddef>
#include <mutex>
#include <utility>

namespace procpool {

namespace engine {

class InlineCrew final : public Crew {
public:
    /// Effects: runs the initializer. Throws: PoolBroken when it fails.
    InlineCrew(Client& client, worker::Setup setup) : client_(client), board_(client.board()), setup_(std::move(setup)) {
        task::Seat& seat = board_.seats()[0];
        seat.pid.store(os::this_process(), std::memory_order_relaxed);
        seat.state.store(task::SeatState::ready, std::memory_order_relaxed);
        board_.control.workers_started.store(1, std::memory_order_relaxed);
        board_.control.workers_up.store(1, std::memory_order_relaxed);
        if (!setup_.initializer) { return; }
        const AsWorker now{board_};
        try {
            setup_.initializer();
        } catch (...) {
            throw PoolBroken("procpool: the pool is broken: the initializer threw " + worker::describe_current_exception());
        }
    }

    void ring() noexcept override {}
    [[nodiscard]] bool has_ended() noexcept override { return board_.control.ended.load(std::memory_order_acquire) != 0; }

    bool join(Deadline deadline) override {
        if (!wait_for_calls(deadline)) { return false; }
        const std::lock_guard guard{running_};
        if (board_.control.ended.exchange(1) == 0 && setup_.finalizer) {
            const AsWorker now{board_};
            try {
                setup_.finalizer();
            } catch (...) {  // as in the other engines
                log(LogLevel::warning, "the finalizer of worker 0 threw {}", worker::describe_current_exception());
            }
        }
        return true;
    }

    [[nodiscard]] bool runs_here() const noexcept override { return true; }

    /// One task at a time; a task may submit another, which runs within it.
    void run_here() override {
        const std::lock_guard guard{running_};
        const AsWorker now{board_};
        worker::Loop{board_, 0, thread_host}.run_one();
    }

private:
    /// Blocks until there is nothing more to come. Returns: false when the deadline came first. Requires: the pool was closed, at least.
    [[nodiscard]] bool wait_for_calls(Deadline deadline) {
        const Parkers::Lease lease = client_.parkers().lease();
        while (client_.life() == task::Life::open) {
            if (deadline.passed()) { return false; }
            lease.park(deadline.or_sooner(Deadline::after(longest_sleep)));
        }
        return true;
    }

    /// The caller counts as worker 0 for a while.
    class AsWorker {
    public:
        explicit AsWorker(const task::Board& board) noexcept
            : before_(std::exchange(worker::identity, {.in_worker = true, .pid = os::this_process(), .pool = board.control.name.data()})) {}
        AsWorker(const AsWorker&) = delete;
        AsWorker& operator=(const AsWorker&) = delete;
        ~AsWorker() { worker::identity = before_; }

    private:
        worker::Identity before_;
    };

    Client& client_;
    task::Board& board_;
    worker::Setup setup_;
    std::recursive_mutex running_;
};

}  // namespace engine

struct InlineEngine {
    using Crew = engine::InlineCrew;
    static constexpr bool shares_memory = true;
    static constexpr bool inherits_state = true;
    static constexpr bool contains_crashes = false;
    static constexpr std::size_t most_workers = 1;
    static constexpr PlaceOf place_of = place_in_this_process;
    static void prepare() noexcept {}
};

}  // namespace procpool

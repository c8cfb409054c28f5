// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// InlineEngine: tasks run in the thread that submits them, when it submits them; for debugging.

#include <procpool/client/client.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/deadlock.hpp>
#include <procpool/engine/thread.hpp>
#include <procpool/log/log.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/loop.hpp>
#include <procpool/worker/setup.hpp>
#include <procpool/worker/this_worker.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>

namespace procpool::inline v0 {

namespace detail::engine {

class InlineCrew final : public client::Crew {
public:
    /// Effects: runs the initializer. Throws: PoolBroken when it fails.
    InlineCrew(client::Client& client, worker::Setup setup)
        : client_(client),
          board_(client.board()),
          setup_(std::move(setup)),
          loop_(board_, 0, thread_host) {
        task::Seat& seat = board_.seats()[0];
        seat.pid.store(os::this_process(), std::memory_order_relaxed);
        seat.state.store(task::SeatState::ready, std::memory_order_relaxed);
        board_.control.workers_started.store(1, std::memory_order_relaxed);
        board_.control.workers_up.store(1, std::memory_order_relaxed);
        const AsWorker now{board_};
        static_cast<void>(worker::initialize(setup_, 0, [](const std::string& reason) {
            throw PoolBroken("procpool: " + core::sentence(Ending::broken, {.reason = reason}));
        }));
    }

    void ring() noexcept override {}
    [[nodiscard]] bool has_ended() noexcept override {
        return board_.control.ended.load(std::memory_order_acquire) != 0;
    }

    bool join(Deadline deadline) override {
        // Calls of other threads would wait for the caller's task.
        if (!is_in_task() && !wait_for_calls(deadline)) { return false; }
        const std::lock_guard guard{running_};
        if (board_.control.ended.exchange(1) == 0) {
            const AsWorker now{board_};
            worker::finalize(setup_, 0);
        }
        return true;
    }

    [[nodiscard]] bool runs_here() const noexcept override { return true; }

    /// One task at a time; a task may submit another, which runs within it.
    void run_here() override {
        const std::lock_guard guard{running_};
        const AsWorker now{board_};
        const Running here{*this};
        loop_.run_one_within(true);
    }

    [[nodiscard]] bool is_in_task() const noexcept override {
        return runner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
    }

    // Another thread's task may have been first when the task was submitted that the caller waits for.
    bool run_awaited(std::uint32_t slot, task::Word word) override {
        if (!is_in_task()) { return false; }
        if (word.phase() == task::Phase::started) { core::throw_deadlock("procpool: a task waits for its own end"); }
        return word.phase() == task::Phase::pending && loop_.run_within({slot, word.generation()});
    }
    bool run_awaited_by(std::uint32_t waiter) override { return is_in_task() && loop_.run_within_for(waiter); }
    bool make_room() override {
        if (!is_in_task()) { return false; }
        if (loop_.run_one_within(false)) { return true; }
        const auto has_started = [](const task::Slot& slot) {
            return task::Word{slot.word.load(std::memory_order_acquire)}.phase() == task::Phase::started;
        };
        if (std::ranges::all_of(board_.all_slots(), has_started)) {
            core::throw_deadlock(
                "procpool: a task submits to its own pool, whose queue is full of tasks that wait for room in it");
        }
        os::nap();  // results that other threads are about to take
        return true;
    }

private:
    /// Blocks until there is nothing more to come. Returns: false when the deadline came first. Requires: the pool was
    /// closed, at least.
    [[nodiscard]] bool wait_for_calls(Deadline deadline) {
        const client::Parkers::Lease lease = client_.parkers().lease();
        while (client_.life() == task::Life::open) {
            if (deadline.passed()) { return false; }
            lease.park(deadline.or_sooner(Deadline::after(client::longest_sleep)));
        }
        return true;
    }

    /// The caller's thread runs tasks for a while; maybe it did before.
    class Running {
    public:
        explicit Running(InlineCrew& crew) noexcept
            : runner_(crew.runner_),
              before_(runner_.exchange(std::this_thread::get_id(), std::memory_order_relaxed)) {}
        Running(const Running&) = delete;
        Running& operator=(const Running&) = delete;
        ~Running() { runner_.store(before_, std::memory_order_relaxed); }

    private:
        std::atomic<std::thread::id>& runner_;
        std::thread::id before_;
    };

    /// The caller counts as worker 0 for a while.
    class AsWorker {
    public:
        explicit AsWorker(const task::Board& board) noexcept
            : before_(
                  std::exchange(task::thread_context,
                                {.in_worker = true, .pid = os::this_process(), .pool = board.control.name.data()})) {}
        AsWorker(const AsWorker&) = delete;
        AsWorker& operator=(const AsWorker&) = delete;
        ~AsWorker() { task::thread_context = before_; }

    private:
        task::ThreadContext before_;
        const os::InProgramCode here_;
    };

    client::Client& client_;
    task::Board& board_;
    worker::Setup setup_;
    worker::Loop loop_;
    std::recursive_mutex running_;
    std::atomic<std::thread::id> runner_{};  // relaxed: a thread asks only whether it is itself
};

}  // namespace detail::engine

struct InlineEngine {
    using Crew = detail::engine::InlineCrew;
    static constexpr bool shares_memory = true;
    static constexpr bool inherits_state = true;
    static constexpr bool contains_crashes = false;
    static constexpr std::size_t most_workers = 1;
    static constexpr PlaceOf place_of = place_in_this_process;
    static void prepare() noexcept {}
};

}  // namespace procpool

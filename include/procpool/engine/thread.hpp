// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ThreadEngine: the same board and the same worker loop, on threads of the program.

#include <procpool/core/deadline.hpp>
#include <procpool/engine/client.hpp>
#include <procpool/engine/crew.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/deadlines.hpp>
#include <procpool/worker/log.hpp>
#include <procpool/worker/loop.hpp>
#include <procpool/worker/setup.hpp>
#include <procpool/worker/this_worker.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace procpool {

namespace engine {

inline constexpr worker::Host thread_host{place_in_this_process, [] {}, [] {}, [] {}, [] {}};

class ThreadCrew final : public Crew {
public:
    /// Throws: std::system_error when a thread cannot be had; none is left then.
    ThreadCrew(Client& client, worker::Setup setup) : client_(client), board_(client.board()), setup_(std::move(setup)), alive_(setup_.workers) {
        board_.control.armed.store(Deadline::never().when().time_since_epoch().count(), std::memory_order_relaxed);
        const os::AllSignalsBlocked inherited_by_the_threads;
        threads_.reserve(setup_.workers);
        try {
            for (std::uint32_t index = 0; index < setup_.workers; ++index) {
                prepare_seat(index);
                threads_.emplace_back([this, index] { work(index); });
            }
        } catch (...) {
            alive_ -= setup_.workers - static_cast<std::uint32_t>(threads_.size());
            board_.control.advance(task::Life::killed);
            board_.wake_all();
            for (std::thread& thread : threads_) { thread.join(); }
            throw;
        }
        board_.control.workers_up.store(setup_.workers, std::memory_order_release);
    }

    ~ThreadCrew() override {
        if (!threads_.empty()) { static_cast<void>(join(Deadline::never())); }
    }

    /// A task's timeout comes before anybody would look: a thread looks at deadlines from now on.
    void ring() noexcept override {
        if (board_.control.life.load() != task::Life::open) { return; }
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
    [[nodiscard]] bool has_ended() noexcept override { return board_.control.ended.load(std::memory_order_acquire) != 0; }

    /// Throws: std::system_error when a worker waits for itself.
    bool join(Deadline deadline) override {
        const bool own_worker = std::any_of(threads_.begin(), threads_.end(), [](const std::thread& thread) { return thread.get_id() == std::this_thread::get_id(); });
        if (own_worker) { throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur), "procpool: join() in a task of the pool"); }
        const Parkers::Lease lease = client_.parkers().lease();
        while (!has_ended()) {
            if (deadline.passed()) { return false; }
            lease.park(deadline.or_sooner(Deadline::after(std::chrono::milliseconds{100})));
        }
        const std::lock_guard guard{joining_};
        for (std::thread& thread : threads_) {
            if (thread.joinable()) { thread.join(); }
        }
        end_timer();
        return true;
    }

private:
    void prepare_seat(std::uint32_t index) noexcept {
        task::Seat& seat = board_.seats()[index];
        seat.index.store(index, std::memory_order_relaxed);
        seat.pid.store(os::this_process(), std::memory_order_relaxed);
        seat.state.store(task::SeatState::starting, std::memory_order_relaxed);
        board_.control.workers_started.fetch_add(1, std::memory_order_relaxed);
    }

    /// Tasks past their timeout are asked to stop, which is all that can be done to a thread.
    void watch_deadlines() {
        worker::Deadlines deadlines{board_};
        std::unique_lock lock{timing_};
        while (!has_ended()) {
            rung_ = false;
            const Clock::time_point next = deadlines.arm([&] {
                return deadlines.look(
                    [&](std::uint32_t slot, task::Word word) {
                        board_.request_stop(slot, word, board_.slots()[slot].stop_request.load(std::memory_order_relaxed));
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

    void end_timer() {
        {
            const std::lock_guard guard{timing_};
            rung_ = true;
        }
        rang_.notify_one();
        if (timer_.joinable()) { timer_.join(); }
    }

    void work(std::uint32_t index) {  // not noexcept: a task may end the thread by pthread_exit(), which unwinds it
        /// Says that this worker has ended, however it ends; the last one decides what is left.
        struct Leave {
            ThreadCrew& crew;
            ~Leave() { crew.leave(); }
        } const leave{*this};
        worker::identity = {.in_worker = true, .index = index, .pid = os::this_process(), .pool = board_.control.name.data()};
        task::Seat& seat = board_.seats()[index];
        if (initialize(index)) {
            seat.state.store(task::SeatState::ready, std::memory_order_release);
            board_.control.times_ready.fetch_add(1, std::memory_order_relaxed);
            worker::Loop{board_, index, thread_host}.run();
            finalize();
        }
    }

    [[nodiscard]] bool initialize(std::uint32_t index) noexcept {
        if (!setup_.initializer) { return true; }
        try {
            setup_.initializer();
            return true;
        } catch (...) {
            board_.control.explain("the initializer of worker " + std::to_string(index) + " threw " + worker::describe_current_exception());
            if (board_.control.advance(task::Life::broken)) { log(LogLevel::error, "the pool is broken: {}", board_.control.explanation()); }
            board_.lose_all_pending(task::Cause::broken);
            board_.wake_all();
            board_.notify_parent();
            return false;
        }
    }

    void finalize() noexcept {
        if (!setup_.finalizer) { return; }
        try {
            setup_.finalizer();
        } catch (...) {  // the worker ends anyway, and no task is left to fail
            log(LogLevel::warning, "the finalizer of worker {} threw {}", worker::identity.index, worker::describe_current_exception());
        }
    }

    void leave() noexcept {
        // acq_rel: the last one sees all that the others did.
        if (alive_.fetch_sub(1, std::memory_order_acq_rel) != 1) { return; }
        board_.control.advance(task::Life::closing);
        board_.lose_all(board_.control.life.load() == task::Life::broken ? task::Cause::broken : task::Cause::terminated);
        board_.control.ended.store(1, std::memory_order_release);
        board_.notify_parent();
    }

    Client& client_;
    task::Board& board_;
    worker::Setup setup_;
    std::atomic<std::uint32_t> alive_;
    std::mutex joining_;
    std::mutex timing_;
    std::condition_variable rang_;
    bool rung_ = false;
    std::thread timer_;
    std::vector<std::thread> threads_;
};

}  // namespace engine

/// Workers are threads: nothing is contained, but the program's memory is everybody's.
struct ThreadEngine {
    using Crew = engine::ThreadCrew;
    static constexpr bool shares_memory = true;
    static constexpr bool inherits_state = true;
    static constexpr bool contains_crashes = false;
    static constexpr std::size_t most_workers = SIZE_MAX;
    static constexpr PlaceOf place_of = place_in_this_process;
    static void prepare() noexcept {}
};

}  // namespace procpool

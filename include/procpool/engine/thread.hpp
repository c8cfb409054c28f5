// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ThreadEngine: the same board and the same worker loop, on threads of the program.

#include <procpool/client/client.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/deadlock.hpp>
#include <procpool/log/log.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/break_pool.hpp>
#include <procpool/worker/deadlines.hpp>
#include <procpool/worker/loop.hpp>
#include <procpool/worker/setup.hpp>
#include <procpool/worker/this_worker.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::engine {

inline constexpr worker::Host thread_host{place_in_this_process, [] {}, [] {}, [] {}, [] {}};

class ThreadCrew final : public client::Crew {
public:
    /// Throws: std::system_error when a thread cannot be had; none is left then.
    ThreadCrew(client::Client& client, worker::Setup setup)
        : client_(client),
          board_(client.board()),
          setup_(std::move(setup)),
          posts_(std::make_unique<Post[]>(setup_.workers)),
          alive_(setup_.workers) {
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
    [[nodiscard]] bool has_ended() noexcept override {
        return board_.control.ended.load(std::memory_order_acquire) != 0;
    }

    /// Throws: std::system_error when a worker waits for itself.
    bool join(Deadline deadline) override {
        if (is_in_task()) { core::throw_deadlock("procpool: join() in a task of the pool"); }
        const client::Parkers::Lease lease = client_.parkers().lease();
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

    [[nodiscard]] bool is_in_task() const noexcept override {
        return client::crew_of_thread == this && client_.is_mine();
    }

    bool run_awaited(std::uint32_t slot, task::Word word) override {
        const Post* const here = own_post();
        if (here == nullptr) { return false; }
        if (word.phase() == task::Phase::started && word.seat() == here->loop->number()) {
            core::throw_deadlock("procpool: a task waits for its own end");
        }
        return word.phase() == task::Phase::pending && here->loop->run_within({slot, word.generation()});
    }

    bool run_awaited_by(std::uint32_t waiter) override {
        Post* const here = own_post();
        if (here == nullptr) { return false; }
        struct Collecting {
            std::atomic<std::uint32_t>& set;
            std::uint32_t before;
            ~Collecting() { set.store(before, std::memory_order_relaxed); }
        } const collecting{here->collects, here->collects.load(std::memory_order_relaxed)};
        here->collects.store(collecting.before | task::Waiters::bit(waiter), std::memory_order_relaxed);
        return here->loop->run_within_for(waiter);
    }

    bool run_any_if_all_wait() override {
        Post* const here = own_post();
        if (here == nullptr || here->loop->waiting() >= deepest) { return false; }
        const auto waits = [&](const Post& post) {
            return &post == here || post.waits.load(std::memory_order_relaxed) || post.stuck.load();
        };
        return std::ranges::all_of(std::span{posts_.get(), setup_.workers}, waits) && here->loop->run_newest_within();
    }

    bool make_room() override {
        Post* const here = own_post();
        if (here == nullptr) { return false; }
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

protected:
    // relaxed: who asks asks again.
    void set_waiting(bool waiting) noexcept override {
        if (Post* const here = own_post()) { here->waits.store(waiting, std::memory_order_relaxed); }
    }

private:
    static constexpr int deepest = 100;  // each task that waits takes its part of the stack

    /// A worker, as others see it.
    struct Post {
        worker::Loop* loop = nullptr;    ///< its own thread alone uses it
        std::atomic<bool> waits{false};  ///< see Crew::Waiting
        std::atomic<bool> stuck{
            false};  ///< its task waits for room in the queue, and there is nothing else that it could run
        std::atomic<std::uint32_t> collects{
            0};  ///< a set, see Waiters: results for these keep their slots until its task goes on
    };

    /// Returns: the caller's, if it is a worker of this crew that runs tasks.
    [[nodiscard]] Post* own_post() const noexcept {
        return is_in_task() && post_of_thread_->loop != nullptr ? post_of_thread_ : nullptr;
    }

    /// Whether every slot belongs to a task that waits for a slot, or to what such a task will go on with.
    [[nodiscard]] bool nobody_makes_room() const noexcept {
        bool all_stuck = true;
        std::uint32_t uncollected = 0;
        for (const Post& post : std::span{posts_.get(), setup_.workers}) {
            if (post.stuck.load()) {
                uncollected |= post.collects.load(std::memory_order_relaxed);
            } else {
                all_stuck = false;
            }
        }
        return std::ranges::all_of(board_.all_slots(), [&](const task::Slot& slot) {
            const task::Word word{slot.word.load(std::memory_order_acquire)};
            if (word.phase() == task::Phase::pending) { return all_stuck; }
            if (word.phase() == task::Phase::started) { return posts_[word.seat()].stuck.load(); }
            return word.finished() && slot.stays() && word.waited() &&
                   (slot.waiters.load(std::memory_order_relaxed) & uncollected) != 0;
        });
    }

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
                        board_.request_stop_if(slot,
                                               [&](task::Word now) { return now.generation() == word.generation(); });
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
        const os::InProgramCode here;
        task::thread_context = {
            .in_worker = true, .index = index, .pid = os::this_process(), .pool = board_.control.name.data()};
        client::crew_of_thread = this;
        post_of_thread_ = &posts_[index];
        task::Seat& seat = board_.seats()[index];
        if (initialize(index)) {
            seat.state.store(task::SeatState::ready, std::memory_order_release);
            board_.from_workers.times_ready.fetch_add(1, std::memory_order_relaxed);
            {
                worker::Loop loop{board_, index, thread_host};
                posts_[index].loop = &loop;
                loop.run();
                posts_[index].loop = nullptr;
            }
            worker::finalize(setup_, index);
        }
    }

    [[nodiscard]] bool initialize(std::uint32_t index) noexcept {
        return worker::initialize(setup_, index, [this](const std::string& reason) {
            worker::break_pool(board_, reason, log::log_subject());
            board_.lose_all_pending(Ending::broken);
            board_.wake_all();
            board_.notify_parent();
        });
    }

    void leave() noexcept {
        // acq_rel: the last one sees all that the others did.
        if (alive_.fetch_sub(1, std::memory_order_acq_rel) != 1) { return; }
        board_.control.advance(task::Life::closing);
        board_.lose_all(task::ending_by(board_.control.life.load()));
        board_.control.ended.store(1, std::memory_order_release);
        board_.notify_parent();
    }

    client::Client& client_;
    task::Board& board_;
    worker::Setup setup_;
    std::unique_ptr<Post[]> posts_;  // by worker index, which is the number of the seat too
    std::atomic<std::uint32_t> alive_;
    std::mutex joining_;
    std::mutex timing_;
    std::condition_variable rang_;
    bool rung_ = false;
    std::thread timer_;
    std::vector<std::thread> threads_;

    static inline constinit thread_local Post* post_of_thread_ = nullptr;
};

}  // namespace detail::engine

/// Workers are threads: nothing is contained, but the program's memory is everybody's.
struct ThreadEngine {
    using Crew = detail::engine::ThreadCrew;
    static constexpr bool shares_memory = true;
    static constexpr bool inherits_state = true;
    static constexpr bool contains_crashes = false;
    static constexpr std::size_t most_workers = SIZE_MAX;
    static constexpr PlaceOf place_of = place_in_this_process;
    static void prepare() noexcept {}
};

}  // namespace procpool

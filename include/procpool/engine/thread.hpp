// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ThreadCrew: the same board and the same worker loop, on threads of the program.

#include <procpool/client/client.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/core/config.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/loop.hpp>
#include <procpool/worker/setup.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::engine {

inline constexpr worker::WorkerHooks thread_hooks{codec::visibility_in_this_process, [] {}, [] {}, [] {}, [] {}};

class ThreadCrew final : public client::Crew {
public:
    /// Throws: std::system_error when a thread cannot be had; none is left then.
    ThreadCrew(client::Client& client, worker::Setup setup);

    PROCPOOL_DECL ~ThreadCrew() override;

    /// Effects: makes a thread look at deadlines, from the first call on: a task's timeout may pass before the next
    /// look.
    PROCPOOL_DECL void ring() noexcept override;
    [[nodiscard]] PROCPOOL_DECL bool has_ended() noexcept override;

    /// Throws: std::system_error when a worker waits for itself.
    PROCPOOL_DECL bool join(Deadline deadline) override;

    [[nodiscard]] bool is_in_task() const noexcept override {
        return client::crew_of_thread == this && client_.is_mine();
    }

    PROCPOOL_DECL bool run_awaited(std::uint32_t slot, task::Word word) override;

    PROCPOOL_DECL bool run_awaited_by(std::uint32_t waiter) override;

    PROCPOOL_DECL bool run_any_if_all_wait() override;

    PROCPOOL_DECL bool make_room() override;

    /// Threads that are not wanted sleep, but for tasks of their index; they end with the pool.
    PROCPOOL_DECL void resize(std::uint32_t workers) override;

protected:
    // relaxed: a thread that reads it reads it again.
    PROCPOOL_DECL void set_waiting(bool waiting) noexcept override;

private:
    static constexpr int deepest = 100;  // each task that waits takes its part of the stack

    /// A worker, as others see it.
    struct ThreadWorker {
        worker::Loop* loop = nullptr;    ///< its own thread alone uses it
        std::atomic<bool> waits{false};  ///< see Crew::Waiting
        std::atomic<bool> stuck{
            false};  ///< its task waits for room in the queue, and there is nothing else that it could run
        std::atomic<std::uint32_t> collects{
            0};  ///< a set, see Waiters: results for these keep their slots until its task goes on
        std::atomic<bool> rests{true};  ///< it is not wanted, or not made yet, and runs tasks of its index only
        [[nodiscard]] bool is_stuck() const noexcept { return stuck.load() || rests.load(std::memory_order_relaxed); }
    };

    /// Returns: the caller's, if it is a worker of this crew that runs tasks.
    [[nodiscard]] ThreadWorker* own_worker() const noexcept;

    /// Whether every slot belongs to a task that waits for a slot, or to what such a task will go on with.
    [[nodiscard]] bool nobody_makes_room() const noexcept;

    void prepare_seat(std::uint32_t index) noexcept;

    /// Tasks past their timeout are asked to stop, which is all that can be done to a thread.
    void watch_deadlines();

    void end_timer();

    /// Effects: makes so many threads, with those that are there. Requires: changing_ is held, or no other thread has
    /// this crew. Throws: std::system_error; those that could be had are there.
    void make_threads(std::uint32_t wanted);

    /// Effects: the pool does not end before leave(). Returns: false when it has ended.
    [[nodiscard]] bool stay() noexcept;

    void work(std::uint32_t index);

    /// Effects: sleeps until there is a task for its index, the thread is wanted, or the pool ends.
    void rest(std::uint32_t index);

    [[nodiscard]] bool initialize(std::uint32_t index) noexcept;

    void leave() noexcept;

    client::Client& client_;
    task::Board& board_;
    worker::Setup setup_;
    std::unique_ptr<ThreadWorker[]> workers_;  // by worker index, which is the number of the seat too
    std::atomic<std::uint32_t> alive_{1};      // threads, and who makes some
    std::mutex changing_;                      // of threads_
    std::mutex timing_;
    std::condition_variable rang_;
    bool rung_ = false;
    std::thread timer_;
    std::vector<std::thread> threads_;

    static inline constinit thread_local ThreadWorker* worker_of_thread_ = nullptr;
};

}  // namespace procpool::detail::engine

#if PROCPOOL_BODIES
#include <procpool/engine/thread.ipp>
#endif

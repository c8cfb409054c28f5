// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// InlineCrew: runs tasks in the thread that submits them, when it submits them; for debugging.

#include <procpool/client/client.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/task/board.hpp>
#include <procpool/task/thread_context.hpp>
#include <procpool/worker/loop.hpp>
#include <procpool/worker/setup.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace procpool::inline v0::detail::engine {

class InlineCrew final : public client::Crew {
public:
    /// Effects: runs the initializer. Throws: PoolBroken when it fails.
    InlineCrew(client::Client& client, worker::Setup setup);

    void ring() noexcept override {}
    [[nodiscard]] PROCPOOL_DECL bool has_ended() noexcept override;

    PROCPOOL_DECL bool join(Deadline deadline) override;

    [[nodiscard]] bool runs_here() const noexcept override { return true; }

    /// Runs one task at a time; a task may submit another, which runs within it.
    PROCPOOL_DECL void run_here() override;
    PROCPOOL_DECL void tidy() noexcept override;

    [[nodiscard]] PROCPOOL_DECL bool is_in_task() const noexcept override;

    // Runs the task that the caller waits for, if its submission has run another thread's task instead.
    PROCPOOL_DECL bool run_awaited(std::uint32_t slot, task::Word word) override;
    bool run_awaited_by(std::uint32_t waiter) override {
        return is_in_task() && !board_.actor.is_one && loop_.run_within_for(waiter);
    }
    PROCPOOL_DECL bool make_room() override;

private:
    /// Blocks until no more tasks can come. Returns: false when the deadline came first. Requires: the pool was
    /// closed, at least.
    [[nodiscard]] bool wait_for_calls(Deadline deadline);

    /// Marks the caller's thread as the one that runs tasks; the thread may have been it before.
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

    /// Makes the caller count as worker 0 while it lives.
    class AsWorker {
    public:
        explicit AsWorker(InlineCrew& crew) noexcept
            : object_(crew.object_),
              before_(std::exchange(task::thread_context, {.in_worker = true,
                                                           .pid = os::this_process(),
                                                           .pool = crew.board_.control.name.data(),
                                                           .object = crew.object_,
                                                           .state = crew.state_.get()})),
              client_before_(std::exchange(client::client_of_thread, &crew.client_)) {}
        AsWorker(const AsWorker&) = delete;
        AsWorker& operator=(const AsWorker&) = delete;
        ~AsWorker() {
            object_ = task::thread_context.object;
            task::thread_context = before_;
            client::client_of_thread = client_before_;
        }

    private:
        void*& object_;
        task::ThreadContext before_;
        client::Client* client_before_;
        const os::InProgramCode here_;
    };

    client::Client& client_;
    task::Board& board_;
    worker::Setup setup_;
    worker::Loop loop_;
    std::recursive_mutex running_;
    void* object_ = nullptr;  // see task::ThreadContext; guarded by running_, as is:
    std::unique_ptr<worker::State> state_;
    std::atomic<std::thread::id> runner_{};  // relaxed: a thread asks only whether it is itself
};

}  // namespace procpool::detail::engine

#if PROCPOOL_BODIES
#include <procpool/engine/inline.ipp>
#endif

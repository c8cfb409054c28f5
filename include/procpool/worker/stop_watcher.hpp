// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// StopWatcher: the thread in a worker that turns a request in shared memory into a std::stop_token's.

#include <procpool/core/deadline.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/sync/parker.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

namespace procpool::inline v0::detail::worker {

/// Belongs to one worker. Its thread starts with the first task that wants a token and sleeps until somebody notifies
/// the seat's stopper. A task that waits may have another run meanwhile: each has a token of its own.
class StopWatcher {
public:
    explicit StopWatcher(sync::Parker& stopper) noexcept : stopper_(stopper) {}
    StopWatcher(const StopWatcher&) = delete;
    StopWatcher& operator=(const StopWatcher&) = delete;
    ~StopWatcher() {
        if (!thread_.joinable()) { return; }
        ending_.store(true, std::memory_order_release);
        stopper_.notify();
        thread_.join();
    }

    /// Returns: the token of the task that runs. request: the slot's; task: its number.
    [[nodiscard]] std::stop_token token(const std::atomic<std::uint64_t>& request, std::uint64_t task) {
        {
            const std::lock_guard guard{mutex_};
            if (tokens_.empty() || tokens_.back().request != &request || tokens_.back().task != task) {
                tokens_.push_back({{}, &request, task});
            }
        }
        if (!thread_.joinable()) {
            const os::AllSignalsBlocked inherited_by_the_thread;
            thread_ = std::thread([this] { watch(); });
        }
        stopper_.notify();  // the request may have come before the token
        const std::lock_guard guard{mutex_};
        return tokens_.back().source.get_token();
    }

    /// The task has ended: a request that comes now reaches nobody. Called by: the worker after each task that took a
    /// token.
    void end_of_task() {
        const std::lock_guard guard{mutex_};
        tokens_.pop_back();
    }

private:
    struct Token {
        std::stop_source source;
        const std::atomic<std::uint64_t>* request;
        std::uint64_t task;
    };

    void watch() {
        const os::InProgramCode here;
        while (!ending_.load(std::memory_order_acquire)) {
            stopper_.park(Deadline::never());
            while (std::optional<std::stop_source> source = next_to_stop()) {
                source->request_stop();
            }  // runs stop callbacks, so not under the mutex
        }
    }

    [[nodiscard]] std::optional<std::stop_source> next_to_stop() {
        const std::lock_guard guard{mutex_};
        for (const Token& token : tokens_) {
            if (!token.source.stop_requested() && token.request->load(std::memory_order_relaxed) == token.task) {
                return token.source;
            }
        }
        return std::nullopt;
    }

    sync::Parker& stopper_;
    std::mutex mutex_;
    std::vector<Token> tokens_;  // of the task that runs, last, and before it of those that wait
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

}  // namespace procpool::detail::worker

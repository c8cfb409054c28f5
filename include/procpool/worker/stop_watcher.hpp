// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// StopWatcher: the thread in a worker that turns a request in shared memory into a std::stop_token's.

#include <procpool/core/deadline.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/sync/parker.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

namespace procpool::worker {

/// Belongs to one worker. Its thread starts with the first task that wants a token and sleeps until somebody notifies the seat's stopper.
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

    /// Returns: the token of the task that runs. request: the slot's; generation: of the task.
    [[nodiscard]] std::stop_token token(const std::atomic<std::uint64_t>& request, std::uint32_t generation) {
        {
            const std::lock_guard guard{mutex_};
            if (!source_) { source_.emplace(); }
            request_ = &request;
            generation_ = generation;
        }
        if (!thread_.joinable()) {
            const os::AllSignalsBlocked inherited_by_the_thread;
            thread_ = std::thread([this] { watch(); });
        }
        stopper_.notify();  // the request may have come before the token
        const std::lock_guard guard{mutex_};
        return source_->get_token();
    }

    /// The task has ended: a request that comes now reaches nobody. Called by: the worker after each task that took a token.
    void end_of_task() {
        const std::lock_guard guard{mutex_};
        source_.reset();
        request_ = nullptr;
    }

private:
    void watch() {
        while (!ending_.load(std::memory_order_acquire)) {
            stopper_.park(Deadline::never());
            std::optional<std::stop_source> source;
            {
                const std::lock_guard guard{mutex_};
                if (request_ != nullptr && request_->load(std::memory_order_relaxed) == std::uint64_t{generation_} + 1) { source = source_; }
            }
            if (source) { source->request_stop(); }  // runs the task's stop callbacks, so not under the mutex
        }
    }

    sync::Parker& stopper_;
    std::mutex mutex_;
    std::optional<std::stop_source> source_;
    const std::atomic<std::uint64_t>* request_ = nullptr;
    std::uint32_t generation_ = 0;
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

}  // namespace procpool::worker

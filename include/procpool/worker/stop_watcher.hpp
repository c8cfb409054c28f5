// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// StopWatcher: the thread in a worker that turns a request in shared memory into a std::stop_token's.

#include <procpool/core/config.hpp>
#include <procpool/sync/parker.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

namespace procpool::inline v0::detail::worker {

/// Belongs to one worker. Its thread starts with the first task that asks for a token and sleeps until the seat's
/// stopper is notified. A task that waits may have another run meanwhile: each has a token of its own.
class StopWatcher {
public:
    explicit StopWatcher(sync::Parker& stopper) noexcept : stopper_(stopper) {}
    StopWatcher(const StopWatcher&) = delete;
    StopWatcher& operator=(const StopWatcher&) = delete;
    ~StopWatcher();

    /// Returns: the token of the task that runs. request: the slot's; task: its number.
    [[nodiscard]] std::stop_token token(const std::atomic<std::uint64_t>& request, std::uint64_t task);

    /// Ends the task's token: a request that comes later has no effect. Called by: the worker after each task that took
    /// a token.
    void end_of_task();

private:
    struct Token {
        std::stop_source source;
        const std::atomic<std::uint64_t>* request;
        std::uint64_t task;
    };

    void watch();

    [[nodiscard]] std::optional<std::stop_source> next_to_stop();

    sync::Parker& stopper_;
    std::mutex mutex_;
    std::vector<Token> tokens_;  // of the task that runs, last, and before it of those that wait
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

}  // namespace procpool::detail::worker

#if PROCPOOL_BODIES
#include <procpool/worker/stop_watcher.ipp>
#endif

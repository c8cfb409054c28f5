// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadline.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/worker/stop_watcher.hpp>

namespace procpool::inline v0::detail::worker {

PROCPOOL_DECL StopWatcher::~StopWatcher() {
    if (!thread_.joinable()) { return; }
    ending_.store(true, std::memory_order_release);
    stopper_.notify();
    thread_.join();
}

PROCPOOL_DECL std::stop_token StopWatcher::token(const std::atomic<std::uint64_t>& request, std::uint64_t task) {
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

PROCPOOL_DECL void StopWatcher::end_of_task() {
    const std::lock_guard guard{mutex_};
    tokens_.pop_back();
}

PROCPOOL_DECL void StopWatcher::watch() {
    const os::InProgramCode here;
    while (!ending_.load(std::memory_order_acquire)) {
        stopper_.park(Deadline::never());
        while (std::optional<std::stop_source> source = next_to_stop()) {
            source->request_stop();
        }  // runs stop callbacks, so not under the mutex
    }
}

PROCPOOL_DECL std::optional<std::stop_source> StopWatcher::next_to_stop() {
    const std::lock_guard guard{mutex_};
    for (const Token& token : tokens_) {
        if (!token.source.stop_requested() && token.request->load(std::memory_order_relaxed) == token.task) {
            return token.source;
        }
    }
    return std::nullopt;
}

}  // namespace procpool::detail::worker

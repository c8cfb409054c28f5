// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/call_threads.hpp>

#include <procpool/client/client.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/os/signals.hpp>

#include <utility>

namespace procpool::inline v0::detail::pool {

PROCPOOL_DECL void CallThreads::start(const client::Client& client, std::unique_ptr<future::Callback> call) {
    if (client.runs_here()) { return call->run(); }
    const std::lock_guard guard{mutex_};
    threads_.remove_if([](const CallThread& one) { return one.has_ended.load(std::memory_order_acquire); });
    CallThread& fresh = threads_.emplace_back();
    try {
        const os::AllSignalsBlocked inherited_by_the_thread;
        fresh.thread = std::jthread([call = std::move(call), &has_ended = fresh.has_ended]() mutable noexcept {
            {
                const os::InProgramCode here;
                const std::unique_ptr<future::Callback> last = std::move(call);  // what it holds goes before the end
                last->run();
            }
            has_ended.store(true, std::memory_order_release);
        });
    } catch (...) {
        threads_.pop_back();
        throw;
    }
}

}  // namespace procpool::detail::pool

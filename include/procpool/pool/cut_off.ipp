// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/cut_off.hpp>

#include <procpool/client/client.hpp>
#include <procpool/os/program_exit.hpp>

#include <atomic>
#include <new>

namespace procpool::inline v0::detail::pool {

PROCPOOL_DECL bool is_cut_off_by_exit(client::Client& client) noexcept {
    try {
        return (os::InProgramCode::is_here() || client.has_callers()) && os::is_exiting_here();
    } catch (...) {  // no memory: as if it were any other end of the pool
        return false;
    }
}

PROCPOOL_DECL void leave_to_exit(client::Client* client, CallThreads* threads) noexcept {
    struct Left {
        client::Client* client;
        CallThreads* threads;
        Left* next;
    };
    static constinit std::atomic<Left*> last{nullptr};
    auto* const left = new (std::nothrow) Left{client, threads, last.load(std::memory_order_relaxed)};
    if (left == nullptr) { return; }
    while (!last.compare_exchange_weak(left->next, left, std::memory_order_relaxed)) {}
}

}  // namespace procpool::detail::pool

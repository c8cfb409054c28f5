// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// is_cut_off_by_exit(): a pool that is destroyed by exit() while calls of the library are suspended for ever.

#include <procpool/client/client.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/pool/drivers.hpp>

#include <atomic>
#include <new>

namespace procpool::inline v0::detail::pool {

using os::InProgramCode;

/// Whether waiting for the end of a pool could last for ever, because exit() is called: by what the library called, so
/// that the call never goes on; or while another thread is in a call over many items, which may depend on what has been
/// suspended. The workers are killed when the program has ended, as those of a pool that nobody destroys. Called by:
/// the pool's destructor.
[[nodiscard]] inline bool is_cut_off_by_exit(client::Client& client) noexcept {
    try {
        return (InProgramCode::is_here() || client.has_callers()) && os::is_exiting_here();
    } catch (...) {  // no memory: as if it were any other end of the pool
        return false;
    }
}

/// Effects: what a pool leaves then is referred to until the program has ended: for programs that look for leaks.
inline void leave_to_exit(client::Client* client, Drivers* drivers) noexcept {
    struct Left {
        client::Client* client;
        Drivers* drivers;
        Left* next;
    };
    static constinit std::atomic<Left*> last{nullptr};
    auto* const left = new (std::nothrow) Left{client, drivers, last.load(std::memory_order_relaxed)};
    if (left == nullptr) { return; }
    while (!last.compare_exchange_weak(left->next, left, std::memory_order_relaxed)) {}
}

}  // namespace procpool::detail::pool

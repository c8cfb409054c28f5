// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/program_lock.hpp>
#include <procpool/os/yield.hpp>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL void ProgramLock::lock() {
    const Token self = process_token();
    for (;;) {
        Token holder = free;
        // acquire: sees the writes of the last holder of this process; release in unlock().
        if (holder_.compare_exchange_strong(holder, self, std::memory_order_acquire)) { return; }
        if (holder != self && holder_.compare_exchange_strong(holder, self, std::memory_order_acquire)) { return; }
        nap();
    }
}

}  // namespace procpool::detail::os

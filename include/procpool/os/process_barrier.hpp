// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessBarrier: a memory barrier in all threads of this process at once, so that those who run often need none.

#include <procpool/os/call.hpp>
#include <procpool/os/yield.hpp>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace procpool::inline v0::detail::os {

class ProcessBarrier {
public:
    /// Returns: whether pass() may be called from now on in this process. The first time it takes microseconds in a
    /// process of one thread, tens of milliseconds in another.
    [[nodiscard]] static bool prepare() noexcept { return command(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); }

    /// Effects: every thread of this process has passed a full barrier between the call and the return.
    static void pass() noexcept {
        // Refused after prepare(), by a filter of system calls that came later, say: then time has to do, in which any
        // store becomes visible.
        if (!command(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) { nap(); }
    }

private:
    static bool command(int what) noexcept {
        return try_call("membarrier", [&] { return ::syscall(SYS_membarrier, what, 0, 0); }) == 0;
    }
};

}  // namespace procpool::detail::os

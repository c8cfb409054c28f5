// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/process_barrier.hpp>
#include <procpool/os/yield.hpp>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace procpool::inline v0::detail::os {

[[nodiscard]] PROCPOOL_DECL bool membarrier(int command) noexcept {
    return try_call("membarrier", [&] { return ::syscall(SYS_membarrier, command, 0, 0); }) == 0;
}

PROCPOOL_DECL bool ProcessBarrier::prepare() noexcept { return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); }

PROCPOOL_DECL void ProcessBarrier::pass() noexcept {
    // Refused after prepare(), by a filter of system calls that came later, say: then the thread waits until any store
    // has become visible.
    if (!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) { nap(); }
}

}  // namespace procpool::detail::os

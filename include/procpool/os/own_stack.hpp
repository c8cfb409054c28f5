// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// run_on_own_stack(): user code has the stack that `ulimit -s` allows, also in a child that was forked by a thread
/// with a small one.

#include <procpool/core/config.hpp>

namespace procpool::inline v0::detail::os {

/// Whether the caller runs on the stack that the process began with, which grows to what `ulimit -s` allows.
[[nodiscard]] bool on_first_stack() noexcept;

/// Effects: calls run(what) on a thread with a stack of its own, while the calling thread waits: the function may
/// refer to objects on its stack. The thread begins without thread_local objects. Returns: only if there is no memory
/// for a stack, or no thread. Called by: a child, right after its fork, with all signals blocked; run() unblocks them
/// for its thread.
void run_on_own_stack(void (*run)(void*), void* what) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/own_stack.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// hook_exits(): a child decides what exit() and quick_exit() do in it, although its C library holds the functions that
/// its ancestors registered.

#include <procpool/core/config.hpp>

namespace procpool::inline v0::detail::os {

/// Called with the status given to exit(); quick: quick_exit() was called, which flushes nothing. Must not return.
using ExitHook = void (*)(int status, bool quick) noexcept;

/// Effects: `hook` runs in this process and in those forked from it when exit() or quick_exit() is called, after the
/// functions that they registered themselves and before those of their ancestors. Called by: a child, right after its
/// fork and before user code, with all signals blocked and no handlers.
void hook_exits(ExitHook hook) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/exit_hook.ipp>
#endif

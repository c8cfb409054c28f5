// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// AllSignalsBlocked: no signals around a fork; and their actions as a worker needs them.

#include <procpool/core/config.hpp>

#include <signal.h>

namespace procpool::inline v0::detail::os {

/// Blocks all signals of this thread while it lives, so that no handler of the program runs in a child before it is set
/// up.
class AllSignalsBlocked {
public:
    AllSignalsBlocked() noexcept;
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
    ~AllSignalsBlocked();

private:
    sigset_t before_;
};

/// Effects: `action` is done at the signal; nothing changes for SIGKILL, SIGSTOP and the threading library's own.
void reset_signal(int number, void (*action)(int)) noexcept;

/// Effects: forgets every handler of the parent. Called by: a child that was forked by the program, before it unblocks
/// anything.
void reset_all_signals() noexcept;

void unblock_all_signals() noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/signals.ipp>
#endif

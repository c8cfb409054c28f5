// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Giving the processor away: for a moment, or for a little longer.

#include <poll.h>
#include <sched.h>
#include <unistd.h>

namespace procpool::inline v0::detail::os {

inline void yield() noexcept { ::sched_yield(); }

/// Who spins looks so often, then yields, so many times: in all about as long as going to sleep and being woken would
/// cost. Few looks before a yield: who has just been woken may need this very processor.
inline constexpr int looks_per_round = 16;
inline constexpr int spin_rounds = 64;

/// About a millisecond; for waits that are so rare that they are not worth an event.
inline void nap() noexcept { ::poll(nullptr, 0, 1); }

/// For a process that is about to be killed.
inline void wait_for_ever() {
    for (;;) { ::pause(); }
}

}  // namespace procpool::detail::os

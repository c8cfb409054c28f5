// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// yield(), nap(): give the processor away, for a moment or for a little longer.

#include <procpool/core/config.hpp>

#include <chrono>

namespace procpool::inline v0::detail::os {

void yield() noexcept;

/// Spin policy: 16 polls, then a yield, at most 64 times. That takes about as long as going to sleep and being woken
/// would. Few polls before a yield: a thread that has just been woken may need this very processor.
inline constexpr int looks_per_round = 16;
inline constexpr int spin_rounds = 64;

/// Effects: this process's sleeps are as short as asked for: the kernel would wake it up to 50 µs later otherwise.
void sleep_exactly() noexcept;
/// Sleeps about that long.
void sleep_for(std::chrono::microseconds time) noexcept;

/// Sleeps about a millisecond; for waits that are so rare that they are not worth an event.
void nap() noexcept;

/// Blocks a process that is about to be killed.
void wait_for_ever();

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/yield.ipp>
#endif

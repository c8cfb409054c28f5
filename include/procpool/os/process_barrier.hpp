// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessBarrier: a memory barrier in all threads of this process at once, so that the frequent ones need none.

#include <procpool/core/config.hpp>

namespace procpool::inline v0::detail::os {

class ProcessBarrier {
public:
    /// Returns: whether pass() may be called from now on in this process. The first time it takes microseconds in a
    /// process of one thread, tens of milliseconds in another.
    [[nodiscard]] static bool prepare() noexcept;

    /// Effects: every thread of this process has passed a full barrier between the call and the return.
    static void pass() noexcept;
};

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/process_barrier.ipp>
#endif

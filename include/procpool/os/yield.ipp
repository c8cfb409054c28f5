// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/yield.hpp>

#include <poll.h>
#include <sched.h>
#include <unistd.h>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL void yield() noexcept { ::sched_yield(); }

PROCPOOL_DECL void nap() noexcept { ::poll(nullptr, 0, 1); }

PROCPOOL_DECL void wait_for_ever() {
    for (;;) { ::pause(); }
}

}  // namespace procpool::detail::os

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/yield.hpp>

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL void yield() noexcept { ::sched_yield(); }

PROCPOOL_DECL void sleep_exactly() noexcept { ::prctl(PR_SET_TIMERSLACK, 1); }

PROCPOOL_DECL void sleep_for(std::chrono::microseconds time) noexcept {
    constexpr long nanoseconds_each = 1000;
    constexpr long each_second = 1000000;
    const timespec length{time.count() / each_second, time.count() % each_second * nanoseconds_each};
    ::nanosleep(&length, nullptr);
}

PROCPOOL_DECL void nap() noexcept { ::poll(nullptr, 0, 1); }

PROCPOOL_DECL void wait_for_ever() {
    for (;;) { ::pause(); }
}

}  // namespace procpool::detail::os

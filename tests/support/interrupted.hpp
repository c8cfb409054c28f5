// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// interrupt_every_millisecond(): signals that end every system call of a test's child that waits.

#include <atomic>

#include <sys/time.h>
#include <csignal>

namespace procpool_test {

/// Counts the signals where a test wants that.
inline std::atomic<int>* signals = nullptr;

/// Effects: has this process interrupted a thousand times a second, without SA_RESTART.
inline void interrupt_every_millisecond() {
    struct sigaction action {};
    action.sa_handler = [](int) {
        if (signals != nullptr) { ++*signals; }
    };
    ::sigaction(SIGALRM, &action, nullptr);
    itimerval often{};
    often.it_interval.tv_usec = often.it_value.tv_usec = 1000;
    ::setitimer(ITIMER_REAL, &often, nullptr);
}

}  // namespace procpool_test

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Signals: blocked around a fork, and as a worker shall find them.

#include <pthread.h>
#include <signal.h>
#include <csignal>

namespace procpool::inline v0::detail::os {

/// Blocks all signals of this thread while it lives, so that no handler of the program runs in a child before it is set
/// up.
class AllSignalsBlocked {
public:
    AllSignalsBlocked() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
    ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_;
};

inline void reset_signal(int number, void (*action)(int)) noexcept {
    struct sigaction sa = {};
    sa.sa_handler = action;
    ::sigaction(number, &sa,
                nullptr);  // refused for SIGKILL, SIGSTOP and the threading library's own: none of them has a handler
}

/// Effects: forgets every handler of the parent. Called by: a child that was forked by the program, before it unblocks
/// anything.
inline void reset_all_signals() noexcept {
    for (int number = 1; number < NSIG; ++number) { reset_signal(number, SIG_DFL); }
}

inline void unblock_all_signals() noexcept {
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace procpool::detail::os

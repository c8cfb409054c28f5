// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/signals.hpp>

#include <pthread.h>
#include <csignal>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL AllSignalsBlocked::AllSignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
}
PROCPOOL_DECL AllSignalsBlocked::~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

PROCPOOL_DECL void reset_signal(int number, void (*action)(int)) noexcept {
    struct sigaction sa = {};
    sa.sa_handler = action;
    ::sigaction(number, &sa, nullptr);
}

PROCPOOL_DECL void reset_all_signals() noexcept {
    for (int number = 1; number < NSIG; ++number) { reset_signal(number, SIG_DFL); }
}

PROCPOOL_DECL void unblock_all_signals() noexcept {
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace procpool::detail::os

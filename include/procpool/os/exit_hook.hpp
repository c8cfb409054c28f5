// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// hook_exits(): a child decides what exit() and quick_exit() do in it, although its C library holds what its ancestors registered.

#include <procpool/os/process.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/single_threaded.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <link.h>
#include <pthread.h>
#include <sys/time.h>

extern "C" int __cxa_at_quick_exit(void (*)(void*), void*) noexcept;

namespace procpool::os {

/// Called with the status given to exit(); quick: quick_exit() was called, which flushes nothing. Must not return.
using ExitHook = void (*)(int status, bool quick) noexcept;
inline constinit ExitHook exit_hook = nullptr;
using LocksAreHeld = void (*)() noexcept;
inline constinit LocksAreHeld locks_are_held = nullptr;

/// Effects: `hook` runs in this process and in those forked from it when exit() or quick_exit() is called, after what they registered themselves
/// and before what their ancestors did. A thread that did not come along in the fork may have held a lock of the C library that fork() does not
/// reset: the one of exit functions (atexit(), dlopen(), the first use of a static) or the one of loaded modules. Then everything that needs it
/// would block for ever, so this tries both, and after `limit` calls `held` and ends the process. The limit may be short: to give up too early
/// costs the caller another fork.
/// Called by: a child, right after its fork and before user code, with all signals blocked and no handlers.
inline void hook_exits(ExitHook hook, std::chrono::milliseconds limit, LocksAreHeld held) noexcept {
    exit_hook = hook;
    locks_are_held = held;
    reset_signal(SIGALRM, [](int) {
        locks_are_held();
        leave(EXIT_FAILURE);
    });
    itimerval timer{};
    timer.it_value.tv_sec = static_cast<time_t>(limit.count() / 1000);
    timer.it_value.tv_usec = static_cast<suseconds_t>(limit.count() % 1000 * 1000);
    sigset_t alarm;
    ::sigemptyset(&alarm);
    ::sigaddset(&alarm, SIGALRM);
    // Without other threads at the fork nobody held anything.
    const bool guarded = !is_single_threaded();
    if (guarded) {
        ::setitimer(ITIMER_REAL, &timer, nullptr);
        ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
        ::dl_iterate_phdr([](dl_phdr_info*, std::size_t, void*) { return 1; }, nullptr);
    }
    ::on_exit([](int status, void*) { exit_hook(status, false); }, nullptr);
    // glibc calls the functions of both lists with the status as second argument.
    const auto quick = [](void*, int status) { exit_hook(status, true); };
    void (*const registered)(void*, int) = quick;
    ::__cxa_at_quick_exit(reinterpret_cast<void (*)(void*)>(registered), nullptr);
    if (guarded) {
        ::pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
        timer = {};
        ::setitimer(ITIMER_REAL, &timer, nullptr);
    }
    reset_signal(SIGALRM, SIG_DFL);
}

}  // namespace procpool::os

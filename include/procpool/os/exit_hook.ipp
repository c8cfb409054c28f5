// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/exit_hook.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/single_threaded.hpp>

#include <link.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

extern "C" int __cxa_at_quick_exit(void (*)(void*), void*) noexcept;

namespace procpool::inline v0::detail::os {

/// Returns: the word that the interrupted thread sleeps on, waiting until it is no longer `value`; null when it does
/// something else. Requires: the handler has SA_RESTART, so that the registers are those before the call.
[[nodiscard]] PROCPOOL_DECL std::atomic<std::uint32_t>* futex_slept_on(
    [[maybe_unused]] const ucontext_t& interrupted) noexcept {
#if defined(__x86_64__)
    const auto& registers = interrupted.uc_mcontext.gregs;
    if (registers[REG_RAX] != SYS_futex ||
        std::memcmp(reinterpret_cast<const void*>(registers[REG_RIP]), "\x0f\x05", 2) != 0) {
        return nullptr;
    }
    auto* const word = reinterpret_cast<std::atomic<std::uint32_t>*>(registers[REG_RDI]);
    const auto value = static_cast<std::uint32_t>(registers[REG_RDX]);
#elif defined(__aarch64__)
    const auto& context = interrupted.uc_mcontext;
    if (context.regs[8] != SYS_futex ||
        std::memcmp(reinterpret_cast<const void*>(context.pc), "\x01\x00\x00\xd4", 4) != 0) {
        return nullptr;
    }
    auto* const word = reinterpret_cast<std::atomic<std::uint32_t>*>(context.regs[0]);
    const auto value = static_cast<std::uint32_t>(context.regs[2]);
#else
    std::atomic<std::uint32_t>* const word = nullptr;
    const std::uint32_t value = 0;
#endif
    return word != nullptr && word->load(std::memory_order_relaxed) == value ? word : nullptr;
}

/// While it lives, the only thread of a forked process gets locks of the C library that are held by threads which
/// fork() did not copy. fork() resets most locks; not the one of the list of exit functions, which atexit(), dlopen(),
/// dlclose() and the first use of a static take, nor the one of the list of modules. Every millisecond a signal looks
/// whether this thread sleeps on a word; only an absent thread could wake it, so the lock is opened. The absent thread
/// was changing a list, in steps of one word, each of which leaves a list. The one of exit functions is a word; that of
/// modules is a recursive mutex, which begins with its word.
class AbsentThreadsLocks {
public:
    AbsentThreadsLocks() noexcept {
        struct sigaction action = {};
        action.sa_flags = static_cast<int>(SA_SIGINFO | SA_RESTART);
        action.sa_sigaction = [](int, siginfo_t*, void* interrupted) {
            if (auto* const word = futex_slept_on(*static_cast<const ucontext_t*>(interrupted))) { open(word); }
        };
        ::sigaction(SIGALRM, &action, nullptr);
        change_mask(SIG_UNBLOCK);
        set_timer(1000);
    }
    AbsentThreadsLocks(const AbsentThreadsLocks&) = delete;
    AbsentThreadsLocks& operator=(const AbsentThreadsLocks&) = delete;
    ~AbsentThreadsLocks() {
        set_timer(0);
        change_mask(SIG_BLOCK);
        reset_signal(SIGALRM, SIG_DFL);
    }

private:
    static void open(std::atomic<std::uint32_t>* word) noexcept {
        auto& mutex = reinterpret_cast<pthread_mutex_t*>(word)->__data;
        if (mutex.__kind == PTHREAD_MUTEX_RECURSIVE_NP && mutex.__owner > 0 && mutex.__count > 0 &&
            mutex.__nusers > 0) {
            mutex.__owner = 0;
            mutex.__count = 0;
            mutex.__nusers = 0;
        }
        word->store(0, std::memory_order_relaxed);
    }
    static void change_mask(int how) noexcept {
        sigset_t alarm;
        ::sigemptyset(&alarm);
        ::sigaddset(&alarm, SIGALRM);
        ::pthread_sigmask(how, &alarm, nullptr);
    }
    static void set_timer(suseconds_t microseconds) noexcept {
        const itimerval timer{{0, microseconds}, {0, microseconds}};
        ::setitimer(ITIMER_REAL, &timer, nullptr);
    }
};

inline constinit ExitHook exit_hook = nullptr;

PROCPOOL_DECL void hook_exits(ExitHook hook) noexcept {
    exit_hook = hook;
    constexpr void (*quick)(void*, int) = [](void*, int status) { exit_hook(status, true); };
    const auto register_hook = [] {
        ::on_exit([](int status, void*) { exit_hook(status, false); }, nullptr);
        // glibc calls the functions of both lists with the status as second argument.
        ::__cxa_at_quick_exit(reinterpret_cast<void (*)(void*)>(reinterpret_cast<void (*)()>(quick)), nullptr);
    };
    if (is_single_threaded()) {  // then its parent was, too
        register_hook();
        return;
    }
    const AbsentThreadsLocks opened;
    register_hook();
    ::dl_iterate_phdr([](dl_phdr_info*, std::size_t, void*) { return 1; }, nullptr);
}

}  // namespace procpool::detail::os

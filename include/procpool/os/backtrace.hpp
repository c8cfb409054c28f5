// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// capture_backtrace(): where this thread is. on_crash(): calls a function before the process dies of a crash.

#include <signal.h>
#include <sys/mman.h>
#include <unwind.h>
#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace procpool::inline v0::detail::os {

/// Effects: stores return addresses, innermost first. Returns: how many. Async-signal-safe with glibc 2.35 and GCC 12
/// or later, whose unwinder takes no lock, after prepare_backtraces().
[[nodiscard]] inline std::size_t capture_backtrace(std::span<std::uintptr_t> frames) noexcept {
    struct State {
        std::span<std::uintptr_t> frames;
        std::size_t count;
    } state{frames, 0};
    ::_Unwind_Backtrace(
        [](_Unwind_Context* context, void* data) {
            auto& into = *static_cast<State*>(data);
            if (into.count == into.frames.size()) { return _URC_END_OF_STACK; }
            int before_instruction = 0;
            const std::uintptr_t address = ::_Unwind_GetIPInfo(context, &before_instruction);
            if (address == 0) { return _URC_END_OF_STACK; }
            into.frames[into.count++] =
                before_instruction != 0 ? address : address - 1;  // the call, not what follows it
            return _URC_NO_REASON;
        },
        &state);
    return state.count;
}

/// Effects: the first call, which may load a library, is made now; children inherit what it leaves.
inline void prepare_backtraces() noexcept {
    static constinit std::atomic<bool> done{
        false};  // no guard, which a child forked meanwhile would wait for; twice does no harm
    // acquire, release: who finds it done forks children that have what it left.
    if (done.load(std::memory_order_acquire)) { return; }
    std::uintptr_t frame[1];
    static_cast<void>(capture_backtrace(frame));
    done.store(true, std::memory_order_release);
}

inline constexpr int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

using CrashHandler = void (*)(int signal, const void* address) noexcept;
inline constinit CrashHandler crash_handler = nullptr;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/// The sanitizer's own, seen before the program installs any.
inline const std::array<struct sigaction, std::size(crash_signals)> sanitizer_handlers = [] {
    std::array<struct sigaction, std::size(crash_signals)> all{};
    for (std::size_t i = 0; i < all.size(); ++i) { ::sigaction(crash_signals[i], nullptr, &all[i]); }
    return all;
}();
#endif

/// Effects: `handler` runs, on a stack of its own, when this thread crashes; then the process dies of the signal as if
/// there were no handler, core dump included. A sanitizer's handlers are installed instead, where there are any, since
/// their report says more. Called by: worker, once, from its main thread.
inline void on_crash(CrashHandler handler) noexcept {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    static_cast<void>(handler);
    for (std::size_t i = 0; i < sanitizer_handlers.size(); ++i) {
        ::sigaction(crash_signals[i], &sanitizer_handlers[i], nullptr);
    }
#else
    crash_handler = handler;
    constexpr std::size_t size = 64 << 10;
    void* const stack = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack != MAP_FAILED) {
        stack_t alternate{};
        alternate.ss_sp = stack;
        alternate.ss_size = size;
        ::sigaltstack(&alternate, nullptr);
    }
    struct sigaction action = {};
    action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER);
    action.sa_sigaction = [](int signal, siginfo_t* info, void*) {
        crash_handler(signal, info->si_addr);
        // The default action is back. An instruction that crashed does so again; a signal that was sent must be sent
        // again.
        if (info->si_code <= 0) { ::raise(signal); }
    };
    for (const int signal : crash_signals) { ::sigaction(signal, &action, nullptr); }
#endif
}

}  // namespace procpool::detail::os

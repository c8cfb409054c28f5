// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/backtrace.hpp>
#include <procpool/os/sanitizer.hpp>

#include <signal.h>
#include <sys/mman.h>
#include <unwind.h>
#include <array>
#include <atomic>
#include <csignal>
#include <iterator>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL std::size_t capture_backtrace(std::span<std::uintptr_t> frames) noexcept {
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

PROCPOOL_DECL void prepare_backtraces() noexcept {
    // No guard, which a child forked meanwhile would wait for; twice does no harm.
    static constinit std::atomic<bool> done{false};
    // acquire, release: a thread that finds it done forks children that have what the call left.
    if (done.load(std::memory_order_acquire)) { return; }
    std::uintptr_t frame[1];
    static_cast<void>(capture_backtrace(frame));
    done.store(true, std::memory_order_release);
}

inline constexpr int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

inline constinit CrashHandler crash_handler = nullptr;

/// The sanitizer's own, where there is one, seen before the program installs any.
inline const std::array<struct sigaction, std::size(crash_signals)> sanitizer_handlers = [] {
    std::array<struct sigaction, std::size(crash_signals)> all{};
    for (std::size_t i = 0; has_sanitizer() && i < all.size(); ++i) { ::sigaction(crash_signals[i], nullptr, &all[i]); }
    return all;
}();

PROCPOOL_DECL void on_crash(CrashHandler handler) noexcept {
    if (has_sanitizer()) {
        for (std::size_t i = 0; i < sanitizer_handlers.size(); ++i) {
            ::sigaction(crash_signals[i], &sanitizer_handlers[i], nullptr);
        }
        return;
    }
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
}

}  // namespace procpool::detail::os

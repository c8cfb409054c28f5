// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// capture_backtrace(): where this thread is. on_crash(): calls a function before the process dies of a crash.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace procpool::inline v0::detail::os {

/// Effects: stores return addresses, innermost first. Returns: how many. Async-signal-safe with glibc 2.35 and GCC 12
/// or later, whose unwinder takes no lock, after prepare_backtraces().
[[nodiscard]] std::size_t capture_backtrace(std::span<std::uintptr_t> frames) noexcept;

/// Effects: the first call, which may load a library, is made now; children inherit what it leaves.
void prepare_backtraces() noexcept;

using CrashHandler = void (*)(int signal, const void* address) noexcept;

/// Effects: `handler` runs, on a stack of its own, when this thread crashes; then the process dies of the signal as if
/// there were no handler, core dump included. A sanitizer's handlers are installed instead, where there are any, since
/// their report says more. Called by: worker, once, from its main thread.
void on_crash(CrashHandler handler) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/backtrace.ipp>
#endif

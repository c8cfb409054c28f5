// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Probes: places that a debugger or tracer can stop or count at in any program, as USDT probes of the provider
/// `procpool`; where <sys/sdt.h> is there, and PROCPOOL_NO_PROBES is not defined. Each is one nop, and says in a note
/// of the program where its arguments are, so that none is made ready for it.

#include <procpool/core/config.hpp>
#include <procpool/core/ending.hpp>

#include <cstdint>

#if !defined(PROCPOOL_NO_PROBES) && !defined(_SDT_HAS_SEMAPHORES) && __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define PROCPOOL_HAS_PROBES 1
#define PROCPOOL_PROBE4(...) STAP_PROBE4(procpool, __VA_ARGS__)
#define PROCPOOL_PROBE5(...) STAP_PROBE5(procpool, __VA_ARGS__)
#if defined(__clang__)  // which copies arguments that may be in registers or memory to its stack
#pragma push_macro("STAP_SDT_ARG_CONSTRAINT")
#undef STAP_SDT_ARG_CONSTRAINT
#define STAP_SDT_ARG_CONSTRAINT m
#endif
#else
#define PROCPOOL_HAS_PROBES 0
#define PROCPOOL_PROBE4(...) static_cast<void>(0)
#define PROCPOOL_PROBE5(...) static_cast<void>(0)
#endif

/// pool: its name. slot, generation: name a task from its submission to its end, also across processes. task: its
/// number, as this_task::id().
namespace procpool::inline v0::detail::os::probe {

/// A thread of the parent offers a task, or a task offers another one.
[[gnu::always_inline]] inline void submit([[maybe_unused]] const char* const& pool,
                                          [[maybe_unused]] const std::uint64_t& task,
                                          [[maybe_unused]] const std::uint32_t& slot,
                                          [[maybe_unused]] const std::uint32_t& generation) noexcept {
    PROCPOOL_PROBE4(submit, pool, task, slot, generation);
}

/// A worker starts a task. worker: its index. code: the address of the function that decodes and makes the call.
[[gnu::always_inline]] inline void start([[maybe_unused]] const char* const& pool,
                                         [[maybe_unused]] const std::uint32_t& worker,
                                         [[maybe_unused]] const std::uint32_t& slot,
                                         [[maybe_unused]] const std::uint32_t& generation,
                                         [[maybe_unused]] const std::uint64_t& code) noexcept {
    PROCPOOL_PROBE5(start, pool, worker, slot, generation, code);
}

/// A worker has run a task, and is about to publish its end. ending: 0 a value, 1 an exception.
[[gnu::always_inline]] inline void end([[maybe_unused]] const char* const& pool,
                                       [[maybe_unused]] const std::uint32_t& worker,
                                       [[maybe_unused]] const std::uint32_t& slot,
                                       [[maybe_unused]] const std::uint32_t& generation,
                                       [[maybe_unused]] const Ending& ending) noexcept {
    PROCPOOL_PROBE5(end, pool, worker, slot, generation, ending);
}

/// The supervisor has reaped a worker that should not have ended. signal: that killed it; 0 where it left with `code`.
[[gnu::always_inline]] inline void death([[maybe_unused]] const char* const& pool,
                                         [[maybe_unused]] const std::uint32_t& worker,
                                         [[maybe_unused]] const std::int32_t& pid,
                                         [[maybe_unused]] const std::int32_t& signal,
                                         [[maybe_unused]] const std::int32_t& code) noexcept {
    PROCPOOL_PROBE5(death, pool, worker, pid, signal, code);
}

/// The supervisor has reaped a worker that has made room for a replacement. items: that it had run.
[[gnu::always_inline]] inline void recycle([[maybe_unused]] const char* const& pool,
                                           [[maybe_unused]] const std::uint32_t& worker,
                                           [[maybe_unused]] const std::int32_t& pid,
                                           [[maybe_unused]] const std::uint32_t& items) noexcept {
    PROCPOOL_PROBE4(recycle, pool, worker, pid, items);
}

}  // namespace procpool::detail::os::probe

#if PROCPOOL_HAS_PROBES && defined(__clang__)
#pragma pop_macro("STAP_SDT_ARG_CONSTRAINT")
#endif
#undef PROCPOOL_PROBE4
#undef PROCPOOL_PROBE5

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Constants of the machine that a shared layout may depend on, and hints to the processor.

#include <procpool/core/requirements.hpp>

#include <cstddef>

namespace procpool::inline v0::detail {

/// Size of a cache line. Ours, not std::hardware_destructive_interference_size: that differs between
/// compilers and flags, and a layout that two of them share must not.
inline constexpr std::size_t cache_line = 64;

/// Distance between words that different processes write: two lines, because processors fetch
/// lines in pairs.
inline constexpr std::size_t apart = 2 * cache_line;

/// Tells the processor that the caller spins.
inline void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// Asks for the line at `address` in a state that can be written.
inline void prefetch_for_write(const void* address) noexcept { __builtin_prefetch(address, 1, 3); }

[[nodiscard]] constexpr std::size_t round_up(std::size_t n, std::size_t multiple) noexcept {
    return (n + multiple - 1) / multiple * multiple;
}

}  // namespace procpool::detail

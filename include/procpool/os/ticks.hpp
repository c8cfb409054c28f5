// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ticks(): the processor's counter of time, which costs a few instructions to read. TickRate: how long a tick is.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>

#include <cstdint>

namespace procpool::inline v0::detail::os {

/// Returns: time in ticks, the same for all processors as far as Linux can tell: it takes its own time from there.
[[nodiscard, gnu::always_inline]] inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    std::uint64_t now = 0;
    asm volatile("mrs %0, cntvct_el0" : "=r"(now));
    return now;
#else
    return static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
#endif
}

/// Compares ticks with the clock, from its construction on.
class TickRate {
public:
    TickRate() noexcept : ticks_(ticks()), clock_(Clock::now()) {}
    /// Returns: nanoseconds, as measured until now.
    [[nodiscard]] double nanoseconds_per_tick() const noexcept {
        const std::uint64_t passed = ticks() - ticks_;
        const Clock::duration elapsed = Clock::now() - clock_;
        return passed == 0 ? 1 : static_cast<double>(elapsed.count()) / static_cast<double>(passed);
    }

private:
    std::uint64_t ticks_;
    Clock::time_point clock_;
};

}  // namespace procpool::detail::os

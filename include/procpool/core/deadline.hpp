// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Deadline: a point on the monotonic clock, or never.

#include <chrono>

namespace procpool::inline v0::detail {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC: the same in every process of a machine

class Deadline {
public:
    [[nodiscard]] static constexpr Deadline never() noexcept { return Deadline{Clock::time_point::max()}; }

    /// Has passed: only look, do not wait.
    [[nodiscard]] static constexpr Deadline immediately() noexcept { return Deadline{Clock::time_point{}}; }

    /// Saturates: a timeout too long for the clock is never, a negative one has passed.
    template <class Rep, class Period>
    [[nodiscard]] static Deadline after(std::chrono::duration<Rep, Period> timeout) {
        const Clock::time_point now = Clock::now();
        using Wide = std::chrono::duration<long double>;
        if (std::chrono::duration_cast<Wide>(timeout) >=
            std::chrono::duration_cast<Wide>(Clock::time_point::max() - now)) {
            return never();
        }
        if (timeout <= timeout.zero()) { return Deadline{now}; }
        return Deadline{now + std::chrono::ceil<Clock::duration>(timeout)};
    }

    explicit constexpr Deadline(Clock::time_point when) noexcept : when_(when) {}

    [[nodiscard]] bool is_never() const noexcept { return when_ == Clock::time_point::max(); }
    [[nodiscard]] bool passed() const noexcept { return !is_never() && Clock::now() >= when_; }
    [[nodiscard]] Clock::time_point when() const noexcept { return when_; }
    [[nodiscard]] Deadline or_sooner(Deadline other) const noexcept { return other.when_ < when_ ? other : *this; }

private:
    Clock::time_point when_;
};

/// Returns: whether wait(deadline) has said true before a point in time of any clock. Another clock than the steady one
/// may be set meanwhile, so it is asked again whenever wait() says false.
template <class AnyClock, class Duration, class Wait>
[[nodiscard]] bool wait_until(std::chrono::time_point<AnyClock, Duration> when, Wait wait) {
    using Wide =
        std::chrono::duration<long double, std::nano>;  // has room for the difference of any two points in time
    for (;;) {
        const Wide left = Wide{when.time_since_epoch()} - Wide{AnyClock::now().time_since_epoch()};
        if (wait(Deadline::after(left))) { return true; }
        if (left <= left.zero()) { return false; }
    }
}

}  // namespace procpool::detail

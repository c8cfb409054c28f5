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

    /// Saturates: a timeout too long for the clock is never, a negative one has passed, and so has one that is no
    /// number.
    template <class Rep, class Period>
    [[nodiscard]] static Deadline after(std::chrono::duration<Rep, Period> timeout) {
        const Clock::time_point now = Clock::now();
        using Wide = std::chrono::duration<long double>;
        if (std::chrono::duration_cast<Wide>(timeout) >=
            std::chrono::duration_cast<Wide>(Clock::time_point::max() - now)) {
            return never();
        }
        if (!(timeout > timeout.zero())) { return Deadline{now}; }
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

/// Returns: how long it is from now to a point in time of any clock; negative when it has passed.
template <class AnyClock, class Duration>
[[nodiscard]] auto time_until(std::chrono::time_point<AnyClock, Duration> when) {
    using Wide = std::chrono::duration<long double, std::nano>;  // has room for the difference of any two points
    return Wide{when.time_since_epoch()} - Wide{AnyClock::now().time_since_epoch()};
}

/// Returns: what wait(Deadline) returns when that is true, or when the point in time of any clock has passed; another
/// clock may have been set during a wait, so it is asked again.
template <class AnyClock, class Duration, class Wait>
[[nodiscard]] auto wait_until(std::chrono::time_point<AnyClock, Duration> when, Wait wait) {
    for (;;) {
        const auto left = time_until(when);
        auto result = wait(Deadline::after(left));
        if (result || left <= left.zero()) { return result; }
    }
}

}  // namespace procpool::detail

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Restarts: how many there may be within a period of time.

#include <procpool/core/deadline.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace procpool::inline v0::detail::worker {

/// Counts restarts; the period slides, so any stretch of time as long as it has at most so many. Allocates when it is
/// made only.
class Restarts {
public:
    Restarts(std::size_t most, std::chrono::milliseconds period)
        : period_(period),
          times_(most, Clock::time_point::min()) {}

    /// Returns: whether there may be one now; it counts then.
    [[nodiscard]] bool take(Clock::time_point now) noexcept {
        if (times_.empty()) { return false; }
        Clock::time_point& oldest = times_[next_];
        if (oldest != Clock::time_point::min() &&
            std::chrono::floor<std::chrono::milliseconds>(now - oldest) < period_) {
            return false;
        }
        oldest = now;
        next_ = (next_ + 1) % times_.size();
        return true;
    }

private:
    std::chrono::milliseconds period_;
    std::vector<Clock::time_point> times_;  // of the last ones, in a circle
    std::size_t next_ = 0;                  // the oldest of them
};

}  // namespace procpool::detail::worker

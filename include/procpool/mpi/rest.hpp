// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Rest: how long to wait between two looks at MPI, which has no call that sleeps until something comes.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/yield.hpp>

#include <algorithm>
#include <chrono>

namespace procpool::inline v0::detail::mpi {

/// Looks often for a while after the last work, then sleeps, longer each time. The while is much longer than the first
/// sleeps: two ranks that wait for each other would fall into step otherwise, each sleeping while the other answers.
class Rest {
public:
    using microseconds = std::chrono::microseconds;
    static constexpr microseconds alert{2000};

    void worked() noexcept { since_ = {}; }
    /// Whether there has been no work for that long.
    [[nodiscard]] bool is_longer_than(std::chrono::nanoseconds time) const noexcept {
        return since_ != Clock::time_point{} && Clock::now() - since_ > time;
    }

    /// Waits a moment; at most `longest` where there has been no work for a while.
    void wait(microseconds longest) noexcept {
        const Clock::time_point now = Clock::now();
        if (since_ == Clock::time_point{}) {
            since_ = now;
            nap_ = first_nap;
        }
        if (now - since_ < alert) {
            relax();
            if (++looks_ % os::looks_per_round == 0) { os::yield(); }
            return;
        }
        nap_ = std::min(nap_ * 2, longest);
        os::sleep_for(nap_);
    }

private:
    static constexpr microseconds first_nap{10};

    Clock::time_point since_{};
    microseconds nap_{first_nap};
    int looks_ = 0;
};

}  // namespace procpool::detail::mpi

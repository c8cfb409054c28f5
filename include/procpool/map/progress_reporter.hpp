// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProgressReporter: reports how far a call has got, at most every 100 ms.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/pool/options.hpp>

#include <chrono>
#include <cstddef>
#include <functional>

namespace procpool::inline v0::detail::map {

/// Called by: the thread that made the call.
class ProgressReporter {
public:
    /// listener: may be empty. total: 0 when unknown. Lifetime: the listener outlives it.
    ProgressReporter(const std::function<void(const Progress&)>& listener, std::size_t total);

    /// Returns: the time of the next report; never, if nobody listens.
    [[nodiscard]] Deadline next() const noexcept { return Deadline{next_}; }

    /// Whether it is time for a report.
    [[nodiscard]] bool is_due() const noexcept { return next_ != Clock::time_point::max() && Clock::now() >= next_; }
    /// done: items that have ended. Throws: what the listener throws.
    void report(std::size_t done);

    /// Effects: reports that the call has ended. well: `done` is the total then. Throws: what the listener throws.
    void end(std::size_t done, bool well);

    /// Effects: reports nothing any more.
    void stop() noexcept { next_ = Clock::time_point::max(); }

private:
    static constexpr std::chrono::milliseconds interval{100};

    const std::function<void(const Progress&)>& listener_;
    std::size_t total_;
    Clock::time_point start_ = Clock::now();
    Clock::time_point next_ = Clock::time_point::max();
};

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/progress_reporter.ipp>
#endif

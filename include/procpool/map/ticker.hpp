// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Ticker: tells how far a call has got, now and then.

#include <procpool/core/deadline.hpp>
#include <procpool/pool/options.hpp>

#include <chrono>
#include <cstddef>
#include <functional>

namespace procpool::inline v0::detail::map {

/// Called by: the thread that made the call.
class Ticker {
public:
    /// tell: may be empty. total: 0 when unknown. Lifetime: `tell` outlives it.
    Ticker(const std::function<void(const Progress&)>& tell, std::size_t total) : tell_(tell), total_(total) {
        if (tell_) { next_ = start_ + interval; }
    }

    /// When tick() would tell something; never, if nobody listens.
    [[nodiscard]] Deadline next() const noexcept { return Deadline{next_}; }

    /// count: returns how many items have ended. Throws: what the listener throws.
    template <class Count>
    void tick(Count count) {
        if (next_ == Clock::time_point::max()) { return; }
        const Clock::time_point now = Clock::now();
        if (now < next_) { return; }
        next_ = now + interval;
        tell_({count(), total_, now - start_});
    }

    /// Effects: tells that the call has ended. well: then the total is known by now.
    void end(std::size_t done, bool well) {
        mute();
        if (tell_) { tell_({done, well ? done : total_, Clock::now() - start_, true}); }
    }

    /// Effects: tells nothing any more.
    void mute() noexcept { next_ = Clock::time_point::max(); }

private:
    static constexpr std::chrono::milliseconds interval{100};

    const std::function<void(const Progress&)>& tell_;
    std::size_t total_;
    Clock::time_point start_ = Clock::now();
    Clock::time_point next_ = Clock::time_point::max();
};

}  // namespace procpool::detail::map

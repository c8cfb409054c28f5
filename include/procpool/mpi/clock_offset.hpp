// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ClockOffset: how far the steady clocks of two machines are apart.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/mpi/message.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

namespace procpool::inline v0::detail::mpi {

/// Estimated from messages that say when they were sent. What is added to the other clock's time to get this one's is
/// received - sent, less the time on the way, which is not known: so the least difference of all counts, less half of
/// the least round trip. Neither way took less than nothing, nor the fastest one longer than that round trip: so the
/// estimate is wrong by at most half of it. Clocks drift by some 10 us a second, so only messages of the last 10 to
/// 20 s count.
class ClockOffset {
public:
    using nanoseconds = std::chrono::nanoseconds;
    static constexpr std::chrono::seconds window{10};

    /// A message has come. received: by this clock; sent: by the other one, and so far since its epoch.
    void add(nanoseconds received, nanoseconds sent) noexcept {
        if (received - begun_ > window) {
            last_ = seen_;
            seen_ = {};
            begun_ = received;
        }
        seen_.difference = std::min(seen_.difference, received - sent);
    }
    /// Both ways of a message and its answer took that long together. Requires: the answer was added.
    void add_round_trip(nanoseconds time) noexcept {
        seen_.round_trip = std::min(seen_.round_trip, std::max(time, nanoseconds{0}));
    }

    /// Effects: as above, as far as the message says when it and what it answers were sent. sent: what it answers,
    /// where that is not a beat; {}: nothing.
    void add(Clock::time_point received, const Message& head, Clock::time_point sent) noexcept {
        if (head.sent == 0) { return; }
        const nanoseconds now{received.time_since_epoch()};
        add(now, nanoseconds{head.sent});
        const nanoseconds asked = head.echo != 0 ? nanoseconds{head.echo} : nanoseconds{sent.time_since_epoch()};
        if (asked.count() != 0) { add_round_trip(now - asked - nanoseconds{head.residence}); }
    }

    /// Returns: a time of the other clock by this one. Requires: a message was added.
    [[nodiscard]] nanoseconds here(nanoseconds there) const noexcept {
        return there + std::min(seen_.difference, last_.difference) - error();
    }
    /// Returns: how wrong that may be; 0 as long as no round trip is known.
    [[nodiscard]] nanoseconds error() const noexcept {
        const nanoseconds least = std::min(seen_.round_trip, last_.round_trip);
        return least == nanoseconds::max() ? nanoseconds{0} : least / 2;
    }

private:
    struct Least {
        nanoseconds difference = nanoseconds::max();
        nanoseconds round_trip = nanoseconds::max();
    };
    nanoseconds begun_{0};
    Least seen_;
    Least last_;
};

}  // namespace procpool::detail::mpi

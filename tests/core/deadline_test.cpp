// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/deadline.hpp>

#include "support/catch.hpp"

#include <limits>

using procpool::detail::Clock;
using procpool::detail::Deadline;
using namespace std::chrono_literals;

TEST_CASE("never does not pass") {
    CHECK(Deadline::never().is_never());
    CHECK_FALSE(Deadline::never().passed());
}

TEST_CASE("a timeout of nothing or less has passed") {
    CHECK(Deadline::after(0s).passed());
    CHECK(Deadline::after(-1h).passed());
    CHECK(Deadline::after(std::chrono::hours::min()).passed());
    CHECK(Deadline::after(std::chrono::duration<double>{-std::numeric_limits<double>::infinity()}).passed());
    CHECK(Deadline::after(std::chrono::duration<double>{std::numeric_limits<double>::quiet_NaN()}).passed());
}

TEST_CASE("a timeout too long for the clock is never") {
    CHECK(Deadline::after(std::chrono::hours::max()).is_never());
    CHECK(Deadline::after(std::chrono::nanoseconds::max()).is_never());
    CHECK(Deadline::after(std::chrono::duration<double>{1e300}).is_never());
    CHECK(Deadline::after(std::chrono::duration<double>{std::numeric_limits<double>::infinity()}).is_never());
}

TEST_CASE("a deadline lies the timeout ahead - rounded up") {
    const Clock::time_point before = Clock::now();
    const Deadline deadline = Deadline::after(std::chrono::duration<double, std::nano>{0.25} + 1h);
    const Clock::time_point after = Clock::now();
    CHECK(deadline.when() > before + 1h);
    CHECK(deadline.when() <= after + 1h + 1ns);
    CHECK_FALSE(deadline.passed());
}

TEST_CASE("a deadline at a time that was has passed") { CHECK(Deadline{Clock::now()}.passed()); }

TEST_CASE("or_sooner takes the sooner of two") {
    const Clock::time_point now = Clock::now();
    CHECK(Deadline{now}.or_sooner(Deadline{now + 1s}).when() == now);
    CHECK(Deadline{now + 1s}.or_sooner(Deadline{now}).when() == now);
    CHECK(Deadline::never().or_sooner(Deadline{now}).when() == now);
    CHECK(Deadline::never().or_sooner(Deadline::never()).is_never());
}

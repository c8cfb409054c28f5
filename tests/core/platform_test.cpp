// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/platform.hpp>

#include "support/catch.hpp"

TEST_CASE("round_up gives the next multiple") {
    STATIC_REQUIRE(procpool::detail::round_up(0, 64) == 0);
    STATIC_REQUIRE(procpool::detail::round_up(1, 64) == 64);
    STATIC_REQUIRE(procpool::detail::round_up(64, 64) == 64);
    STATIC_REQUIRE(procpool::detail::round_up(65, 64) == 128);
    STATIC_REQUIRE(procpool::detail::round_up(7, 3) == 9);
}

TEST_CASE("hints to the processor change nothing") {
    int word = 7;
    procpool::detail::relax();
    procpool::detail::prefetch_for_write(&word);
    CHECK(word == 7);
}

// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/yield.hpp>

#include "support/catch.hpp"

#include <chrono>

TEST_CASE("a nap lasts about a millisecond - a yield need not last") {
    const auto start = std::chrono::steady_clock::now();
    procpool::detail::os::yield();
    for (int i = 0; i < 10; ++i) { procpool::detail::os::nap(); }
    const auto lasted = std::chrono::steady_clock::now() - start;
    CHECK(lasted >= std::chrono::milliseconds{9});
    CHECK(lasted < std::chrono::seconds{10});
}

// SPDX-License-Identifier: BSL-1.0
// A timeout kills a task that runs too long, whatever it does; retries run a task again whose worker died, or that
// timed out.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
    procpool::ProcessPool pool{2};

    // [retries]
    try {
        pool.apply({.timeout = 50ms, .label = "sleeper"}, [] { std::this_thread::sleep_for(1h); });
    } catch (const procpool::TaskTimedOut& late) { fmt::print("{}\n", late.what()); }

    const auto unreliable = [](int n) {
        if (procpool::this_task::attempt() == 0) { std::abort(); }  // crashes the first time
        return 10 * n;
    };
    // In calls over many items both options are for each item.
    const std::vector<int> all = pool.map({.timeout = 10s, .retries = 1}, unreliable, std::vector{1, 2, 3});
    // [/retries]
    fmt::print("{} {} {}\n", all[0], all[1], all[2]);
    fmt::print("{}\n", pool.apply({.retries = 1}, unreliable, 4));
    fmt::print("{} timed out\n", pool.stats().timed_out);
}

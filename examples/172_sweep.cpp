// SPDX-License-Identifier: BSL-1.0
// A sweep that may be interrupted at any time, by Ctrl-C or a crash: started again, it goes on where it was.
//     172_sweep [JOURNAL]

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstddef>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;

double simulate(int point) {
    if (point == 13 && procpool::this_task::attempt() == 0) { std::this_thread::sleep_for(1h); }  // it got stuck
    if (point == 77) { throw std::domain_error("the model has no solution there"); }
    std::this_thread::sleep_for(50ms);  // stands for hours of work
    const double x = point - 42;
    return x * x;
}

int main(int argc, char** argv) {
    const std::string journal = argc > 1 ? argv[1] : "sweep.journal";
    procpool::ProcessPool pool{2};

    // [sweep]
    // Each point has 300 ms and a second try; the sweep is given up when a tenth of it fails. Results are in the
    // journal as they come, and in none of its runs is a point simulated whose result is there.
    const auto results = pool.map_outcomes({.timeout = 300ms,
                                            .retries = 1,
                                            .progress = procpool::progress_bar(),
                                            .stop_after_failures = {.share = 0.1},
                                            .journal = journal},
                                           simulate, std::views::iota(0, 100));
    // [/sweep]

    std::size_t best = 0;
    for (std::size_t point = 0; point < results.size(); ++point) {
        try {
            if (results[point].value() < *results[best]) { best = point; }
        } catch (const std::domain_error& e) { fmt::print("point {}: {}\n", point, e.what()); }
    }
    fmt::print("the best of {} points is {}\n", results.size(), best);
}

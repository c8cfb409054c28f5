// SPDX-License-Identifier: BSL-1.0
// How far a call over many items has got: a function of yours is told, or progress_bar() draws it on a terminal.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <chrono>
#include <ranges>
#include <thread>

void work(int) { std::this_thread::sleep_for(std::chrono::milliseconds{1}); }

int main() {
    procpool::ProcessPool pool{2};

    pool.for_each({.progress = procpool::progress_bar()}, work, std::views::iota(0, 200));  // silent in a log file

    // [progress]
    // At most every 100 ms and once at the end, called by the thread that waits. now.rate() and now.eta() tell more.
    const auto report = [](const procpool::Progress& now) {
        if (now.last) { fmt::print("{} of {} done\n", now.done, now.total); }
    };
    pool.for_each({.progress = report}, work, std::views::iota(0, 200));
    // [/progress]
}

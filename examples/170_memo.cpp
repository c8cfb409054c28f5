// SPDX-License-Identifier: BSL-1.0
// Results that outlast the program: run twice, a simulation whose every step is remembered. Built with procpool::memo.
//     170_memo [directory]            a directory of your own stays, and a second run of the program makes no call

#include <procpool/memo.hpp>
#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <vector>

/// How a pendulum swings: its length in metres, the angle that it starts at.
struct Pendulum {
    double length;
    double angle;
};

/// For the example only: a memo's function depends on nothing but its arguments, and whether it was called is no
/// result.
std::atomic<int>* calls = nullptr;

/// Returns: the time of one swing in seconds, by small steps.
double period(const Pendulum& pendulum, int verbosity) {
    ++*calls;
    if (verbosity > 1) { fmt::print("{} m, {} rad\n", pendulum.length, pendulum.angle); }
    constexpr double g = 9.81;
    constexpr double step = 1e-5;
    double angle = pendulum.angle;
    double speed = 0;
    double time = 0;
    for (; angle > 0; time += step) {
        speed -= g / pendulum.length * std::sin(angle) * step;
        angle += speed * step;
    }
    return 4 * time;
}

int main(int argc, char** argv) {
    const bool keep = argc > 1;
    const std::filesystem::path directory =
        keep ? std::filesystem::path{argv[1]}
             : std::filesystem::temp_directory_path() /
                   fmt::format("procpool_{}", std::chrono::steady_clock::now().time_since_epoch().count());
    const procpool::Shared<std::atomic<int>> counter{0};
    calls = counter.get();
    {
        // [memo]
        procpool::Memo memo{directory};
        const auto remembered = memo(period, "period", 1);  // version 2 when it computes something else
        // [/memo]
        std::vector<Pendulum> pendulums;
        for (int i = 1; i <= 40; ++i) { pendulums.push_back({.length = 0.25 * i, .angle = 0.5}); }
        procpool::Pool pool{4};
        for (const char* const run : {"first", "second"}) {
            const int before = *calls;
            // [map]
            const std::vector<double> periods = pool.map(remembered, pendulums, procpool::repeat(procpool::ignore(1)));
            // [/map]
            fmt::print("{} run: {} calls, 10 m swing in {:.2f} s\n", run, *calls - before, periods.back());
        }
        const int before = *calls;
        fmt::print("here: {:.2f} s, ", remembered(Pendulum{.length = 1, .angle = 0.5}, procpool::ignore(0)));
        fmt::print("{} calls\n", *calls - before);
        const procpool::MemoStats stats = memo.stats();
        fmt::print("{} hits, {} misses\n", stats.hits, stats.misses);
        fmt::print("erased: {}\n", memo.erase("period"));
    }
    if (!keep) { std::filesystem::remove_all(directory); }
}

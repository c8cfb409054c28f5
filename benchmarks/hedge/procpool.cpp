// SPDX-License-Identifier: BSL-1.0
/// \file
/// hedge: what one item that takes 50 times as long as others, at its first run only, costs the call that it is in,
/// with MapOptions::hedge and without: the time from the end of all other items to the end of the call, in medians of
/// what the others took in that very call, since a busy machine makes them take longer. Without a straggler that is
/// what the last item of all takes, about 0.

#include "../common.hpp"

#include <procpool/procpool.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace benchmarks;

constexpr std::size_t most = 1000;

struct Times {
    std::array<std::atomic<std::int64_t>, most> begun{};
    std::array<std::atomic<std::int64_t>, most> ended{};
    std::atomic<int> slow_runs{0};
};

std::int64_t now() { return Clock::now().time_since_epoch().count(); }

/// Returns: the cost. straggler: the item that takes long; -1: none does.
double cost_of(procpool::Pool& pool, Times& times, int count, std::chrono::milliseconds item, int straggler,
               double hedge) {
    constexpr int times_as_long = 50;
    times.slow_runs = 0;
    const auto run = [straggler, slow_item = times_as_long * item, item, &times](int i) {
        const auto at = static_cast<std::size_t>(i);
        if (i != straggler) { times.begun[at] = now(); }
        std::this_thread::sleep_for(i == straggler && times.slow_runs.fetch_add(1) == 0 ? slow_item : item);
        if (i != straggler) { times.ended[at] = now(); }
        return i;
    };
    const procpool::MapOptions options{.chunk_size = 1, .hedge = hedge};
    const std::vector<int> results = pool.map(options, run, std::views::iota(0, count));
    const std::int64_t end = now();
    std::vector<double> took;
    std::int64_t others_ended = 0;
    for (int i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        require(results.at(at) == i, "wrong result");
        if (i == straggler) { continue; }
        took.push_back(static_cast<double>(times.ended[at] - times.begun[at]));
        others_ended = std::max(others_ended, times.ended[at].load());
    }
    return static_cast<double>(end - others_ended) / median(took);
}

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        const std::chrono::milliseconds item{arguments.pick(2, 10, 20)};
        const procpool::Shared<Times> times;
        procpool::Pool pool{arguments.workers};
        const int count = static_cast<int>(arguments.workers) * arguments.pick(4, 10, 20);
        const auto report_cost = [&](const std::string& name, int straggler, double hedge) {
            std::vector<double> all;
            for (int i = 0; i < arguments.pick(1, 5, 11); ++i) {
                all.push_back(cost_of(pool, *times, count, item, straggler, hedge));
            }
            report(name, median(all), "medians");
        };
        report_cost("no straggler", -1, 0);
        report_cost("no straggler, hedge = 1.5", -1, 1.5);
        report_cost("the last item", count - 1, 0);
        for (const double hedge : {1.0, 1.5, 2.0}) {
            const std::string with = ", hedge = " + std::to_string(hedge).substr(0, 3);
            report_cost("the first item" + with, 0, hedge);
            report_cost("the last item" + with, count - 1, hedge);
        }
    });
}

// SPDX-License-Identifier: BSL-1.0
/// \file
/// round_trip: procpool.

#include "../executors/procpool.hpp"
#include "config.hpp"

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        procpool::Pool pool{arguments.workers};
        const auto trips = [&](int count) {
            for (int i = 0; i < count; ++i) {
                require(pool.apply([](int x) { return x + 1; }, i) == i + 1, "wrong result");
            }
        };
        constexpr int lot = 100;
        for (int i = 0; i < 10; ++i) { trips(lot); }
        int lots = 0;
        const double took = seconds([&] {
            const Clock::time_point end = Clock::now() + round_trip::how_long(arguments);
            for (; lots == 0 || Clock::now() < end; ++lots) { trips(lot); }
        });
        report(round_trip::name, took * 1e9 / lots / lot, "ns");
    });
}

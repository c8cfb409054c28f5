// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: a raw ping-pong, the baseline of several cases: its figure is printed for each of them.

#include "../ping_pong.hpp"
#include "config.hpp"

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        const double each = ping_pong(std::chrono::milliseconds{arguments.pick(1, 30, 60)});
        report(dispatch::round_trip, each, "ns");
        report(dispatch::tasks_with_results, each, "ns");
    });
}

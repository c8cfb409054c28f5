// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// wakeup: a task for a pool that has slept for a while.

#include "../common.hpp"
#include "../executors/executor.hpp"

#include <chrono>
#include <thread>
#include <vector>

namespace benchmarks::wakeup {

constexpr const char* after_idle = "first task after 5 ms of idling";

/// `call` is timed after a sleep that is longer than any competitor spins.
template <class Call>
void measure(const Arguments& arguments, Call call) {
    std::vector<double> all;
    call();
    for (int i = 0; i < arguments.pick(3, 21, 41); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
        all.push_back(seconds(call) * 1e9);
    }
    report(after_idle, median(all), "ns");
}

template <Executor E>
int run(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        E executor{arguments.workers};
        measure(arguments,
                [&] { require(executor.submit([](int x) { return x + 1; }, 1).get() == 2, "wrong result"); });
    });
}

}  // namespace benchmarks::wakeup

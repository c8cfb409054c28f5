// SPDX-License-Identifier: BSL-1.0
// Three ways to stop a task: withdraw it before it starts, ask it, or kill its worker.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <chrono>
#include <stop_token>
#include <thread>

using namespace std::chrono_literals;

/// A task that takes a std::stop_token first is given one.
int work_until_stopped(const std::stop_token& stop) {
    while (!stop.stop_requested()) { std::this_thread::sleep_for(1ms); }
    return 42;
}
void wait_until_it_runs(const procpool::Future<int>& future) {
    while (!future.running()) { std::this_thread::sleep_for(1ms); }
}

int main() {
    procpool::ProcessPool pool{1};
    auto polite = pool.apply_async(work_until_stopped);
    auto queued = pool.apply_async([] { return 1; });
    wait_until_it_runs(polite);

    fmt::print("withdrawn: {}\n", queued.cancel());  // true: it will never run, and get() throws TaskCancelled
    const bool withdrawn = polite.cancel();          // false: it runs already, and has been asked to stop
    fmt::print("withdrawn: {}, returned {}\n", withdrawn, polite.get());

    auto stubborn = pool.apply_async([] { return std::this_thread::sleep_for(1h), 2; });
    wait_until_it_runs(stubborn);
    fmt::print("killed: {}\n", stubborn.kill());  // its worker is killed, and another takes the place
    try {
        stubborn.get();
    } catch (const procpool::TaskCancelled& end) { fmt::print("{}\n", end.what()); }
}

// SPDX-License-Identifier: BSL-1.0
/// \file
/// startup: procpool; and how long a killed worker's replacement takes when the parent has grown.

#include "../executors/procpool.hpp"
#include "config.hpp"

#include <signal.h>

#include <chrono>
#include <thread>

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        startup::measure<Procpool>(arguments);

        procpool::Pool elastic{procpool::PoolOptions{.workers = 1, .grow_to = startup::grown}};
        const auto wait_for_workers = [&](std::size_t count) {
            while (elastic.workers().size() != count) { std::this_thread::sleep_for(std::chrono::microseconds{50}); }
        };
        startup::report_median(startup::growth, arguments, [&] {
            elastic.resize(1);
            wait_for_workers(1);
            return seconds([&] {
                elastic.resize(startup::grown);
                wait_for_workers(startup::grown);
            });
        });

        procpool::Pool pool{1};
        const auto pid = [] { return procpool::this_worker::pid(); };
        for (const std::size_t size : startup::gigabytes(arguments)) {
            const startup::Ballast ballast{size << 30};
            startup::report_median(startup::in_parent(startup::respawn, size), arguments, [&] {
                const auto old = pool.apply(pid);
                return seconds([&] {
                    ::kill(old, SIGKILL);
                    while (true) {
                        try {
                            if (pool.apply(pid) != old) { break; }
                        } catch (const procpool::WorkerDied&) {}  // it had taken the task before the signal arrived
                    }
                });
            });
        }
    });
}

// SPDX-License-Identifier: BSL-1.0
/// \file
/// recovery: procpool, whose supervisor replaces the dead.

#include "../executors/procpool.hpp"
#include "config.hpp"

#include <signal.h>

namespace {

using namespace benchmarks;

void kill_all(const procpool::Pool& pool) {
    for (const procpool::WorkerInfo& worker : pool.workers()) { ::kill(worker.pid, SIGKILL); }
}

double until_next_result(procpool::Pool& pool, std::size_t workers) {
    while (pool.workers().size() < workers) {}
    const auto pid = [] { return procpool::this_worker::pid(); };
    pool.apply(pid);
    const std::vector<procpool::WorkerInfo> old = pool.workers();
    return seconds([&] {
        kill_all(pool);
        for (;;) {
            try {
                const auto by = pool.apply(pid);
                if (std::ranges::find(old, by, &procpool::WorkerInfo::pid) == old.end()) { return; }
            } catch (const procpool::WorkerDied&) {}  // taken before the signal arrived
        }
    });
}

/// Nanoseconds for each task of lots of 1000, while a worker is killed now and then. Every kill may cost one task.
double with_kills(procpool::Pool& pool, const Arguments& arguments, int kills_per_second) {
    const auto increment = [](std::uint32_t x) { return x + 1; };
    std::vector<procpool::Future<std::uint32_t>> futures(1000);
    std::size_t tasks = 0;
    std::size_t lost = 0;
    std::size_t kills = 0;
    const double duration = recovery::duration(arguments, kills_per_second);
    const Clock::time_point start = Clock::now();
    for (double now = 0; now < duration; now = std::chrono::duration<double>(Clock::now() - start).count()) {
        for (auto& future : futures) { future = pool.apply_async(increment, 1U); }
        for (auto& future : futures) {
            try {
                require(future.get() == 2, "wrong result");
            } catch (const procpool::WorkerDied&) { ++lost; }
        }
        tasks += futures.size();
        if (now * kills_per_second > static_cast<double>(kills) + 0.5) {
            const std::vector<procpool::WorkerInfo> workers = pool.workers();
            if (!workers.empty()) { ::kill(workers[kills % workers.size()].pid, SIGKILL); }
            ++kills;
        }
    }
    require(lost <= kills, "a kill cost more than one task");
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / static_cast<double>(tasks);
}

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        procpool::Pool pool{arguments.workers};
        recovery::report_median(arguments, [&] { return until_next_result(pool, arguments.workers); });
        const double undisturbed = with_kills(pool, arguments, 0);
        report("a task, without kills", undisturbed, "ns");
        for (const int kills : recovery::kills_per_second(arguments)) {
            const double disturbed = with_kills(pool, arguments, kills);
            report(recovery::at("a task, ", kills), disturbed, "ns");
            report(recovery::at("throughput lost, ", kills), 100 * (1 - undisturbed / disturbed), "%");
        }
    });
}

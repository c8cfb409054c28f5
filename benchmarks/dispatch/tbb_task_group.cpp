// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: oneTBB's task_group as it is meant to be used: tasks without results or futures, which add to one sum for
/// each thread.

#include "config.hpp"

#include <tbb/combinable.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <functional>

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        const tbb::global_control limit{tbb::global_control::max_allowed_parallelism, arguments.workers + 1};
        tbb::task_arena arena{static_cast<int>(arguments.workers) + 1};
        const std::size_t count = dispatch::tasks(arguments);
        tbb::combinable<std::uint64_t> sums{[] { return std::uint64_t{0}; }};
        const auto all = [&] {
            tbb::task_group group;
            for (std::uint32_t i = 0; i < count; ++i) {
                group.run([i, &sums] { sums.local() += dispatch::increment(i); });
            }
            group.wait();
        };
        arena.execute(all);  // the threads have started
        sums.clear();
        report(dispatch::tasks_with_results, nanoseconds_each(count, [&] { arena.execute(all); }), "ns");
        require(sums.combine(std::plus<>{}) == dispatch::sum_to(count), "wrong sum");
    });
}

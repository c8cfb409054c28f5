// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// oneTBB with one partitioner and the grain that turns out to be the best for each case.

#include "../executors/tbb.hpp"
#include "config.hpp"

namespace benchmarks::chunking {

template <class Partitioner>
int run_tbb(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        TbbLoops loops{arguments.workers};
        Partitioner partitioner;
        loops.for_ranges(1000, 1, partitioner, [](std::size_t, std::size_t) {});  // the threads have started
        measure(arguments, sweep(), into_vector([&](std::size_t n, std::size_t grain, const auto& body) {
                    loops.for_ranges(n, grain, partitioner, body);
                }));
    });
}

}  // namespace benchmarks::chunking

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// OpenMP with one schedule and the chunk that turns out to be the best for each case.

#include "config.hpp"

#include <omp.h>

namespace benchmarks::chunking {

inline int run_openmp(int argc, char** argv, omp_sched_t schedule) {
    return program(argc, argv, [schedule](const Arguments& arguments) {
        const int threads = static_cast<int>(arguments.workers);
        measure(arguments, sweep(), into_vector([=](std::size_t n, std::size_t chunk, const auto& body) {
                    omp_set_schedule(schedule, static_cast<int>(chunk));
#pragma omp parallel for schedule(runtime) num_threads(threads)
                    for (std::size_t i = 0; i < n; ++i) { body(i, i + 1); }
                }));
    });
}

}  // namespace benchmarks::chunking

// SPDX-License-Identifier: BSL-1.0
/// \file
/// chunking: OpenMP, schedule(guided).

#include "config_openmp.hpp"

int main(int argc, char** argv) { return benchmarks::chunking::run_openmp(argc, argv, omp_sched_guided); }

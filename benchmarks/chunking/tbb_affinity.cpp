// SPDX-License-Identifier: BSL-1.0
/// \file
/// chunking: oneTBB, affinity_partitioner.

#include "config_tbb.hpp"

int main(int argc, char** argv) { return benchmarks::chunking::run_tbb<tbb::affinity_partitioner>(argc, argv); }

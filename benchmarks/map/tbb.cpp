// SPDX-License-Identifier: BSL-1.0
/// \file
/// map: tbb::parallel_for.

#include "../executors/tbb.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::maps::run<benchmarks::TbbLoops>(argc, argv); }

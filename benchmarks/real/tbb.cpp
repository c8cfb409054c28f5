// SPDX-License-Identifier: BSL-1.0
/// \file
/// real: tbb::parallel_for.

#include "../executors/tbb.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::real::run<benchmarks::TbbLoops>(argc, argv); }

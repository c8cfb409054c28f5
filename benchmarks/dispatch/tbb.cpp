// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: oneTBB, with a std::promise for every task.

#include "../executors/tbb.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::dispatch::run<benchmarks::Tbb>(argc, argv); }

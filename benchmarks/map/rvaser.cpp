// SPDX-License-Identifier: BSL-1.0
/// \file
/// map: rvaser's thread pool, a task for each part.

#include "../executors/rvaser.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::maps::run<benchmarks::Rvaser>(argc, argv); }

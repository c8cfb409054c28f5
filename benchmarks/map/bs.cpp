// SPDX-License-Identifier: BSL-1.0
/// \file
/// map: BS::thread_pool, a task for each part.

#include "../executors/bs.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::maps::run<benchmarks::Bs>(argc, argv); }

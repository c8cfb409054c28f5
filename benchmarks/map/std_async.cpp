// SPDX-License-Identifier: BSL-1.0
/// \file
/// map: std::async for each part.

#include "../executors/std_async.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::maps::run<benchmarks::StdAsync>(argc, argv); }

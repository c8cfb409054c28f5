// SPDX-License-Identifier: BSL-1.0
/// \file
/// map: Taskflow's executor, a task for each part.

#include "../executors/taskflow.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::maps::run<benchmarks::Taskflow>(argc, argv); }

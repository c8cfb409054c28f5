// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: Taskflow's executor.

#include "../executors/taskflow.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::dispatch::run<benchmarks::Taskflow>(argc, argv); }

// SPDX-License-Identifier: BSL-1.0
/// \file
/// scaling: Taskflow.

#include "../executors/taskflow.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::scaling::run<benchmarks::Taskflow>(argc, argv); }

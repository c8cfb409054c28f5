// SPDX-License-Identifier: BSL-1.0
/// \file
/// startup: Taskflow.

#include "../executors/taskflow.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::startup::run<benchmarks::Taskflow>(argc, argv); }

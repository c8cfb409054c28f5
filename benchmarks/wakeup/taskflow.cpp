// SPDX-License-Identifier: BSL-1.0
/// \file
/// wakeup: Taskflow.

#include "../executors/taskflow.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::wakeup::run<benchmarks::Taskflow>(argc, argv); }

// SPDX-License-Identifier: BSL-1.0
/// \file
/// startup: StdThread.

#include "../executors/std_thread.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::startup::run<benchmarks::StdThread>(argc, argv); }

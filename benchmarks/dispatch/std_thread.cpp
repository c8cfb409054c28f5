// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: a std::thread for every task.

#include "../executors/std_thread.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::dispatch::run<benchmarks::StdThread>(argc, argv); }

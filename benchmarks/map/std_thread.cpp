// SPDX-License-Identifier: BSL-1.0
/// \file
/// map: a std::thread for each part.

#include "../executors/std_thread.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::maps::run<benchmarks::StdThread>(argc, argv); }

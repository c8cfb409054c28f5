// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: std::async.

#include "../executors/std_async.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::dispatch::run<benchmarks::StdAsync>(argc, argv); }

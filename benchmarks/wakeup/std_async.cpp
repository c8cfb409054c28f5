// SPDX-License-Identifier: BSL-1.0
/// \file
/// wakeup: StdAsync.

#include "../executors/std_async.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::wakeup::run<benchmarks::StdAsync>(argc, argv); }

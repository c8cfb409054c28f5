// SPDX-License-Identifier: BSL-1.0
/// \file
/// wakeup: Tbb.

#include "../executors/tbb.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::wakeup::run<benchmarks::Tbb>(argc, argv); }

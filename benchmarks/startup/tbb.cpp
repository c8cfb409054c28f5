// SPDX-License-Identifier: BSL-1.0
/// \file
/// startup: Tbb.

#include "../executors/tbb.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::startup::run<benchmarks::Tbb>(argc, argv); }

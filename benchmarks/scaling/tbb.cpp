// SPDX-License-Identifier: BSL-1.0
/// \file
/// scaling: Tbb.

#include "../executors/tbb.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::scaling::run<benchmarks::Tbb>(argc, argv); }

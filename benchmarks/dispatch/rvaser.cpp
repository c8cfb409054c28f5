// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: rvaser's thread pool.

#include "../executors/rvaser.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::dispatch::run<benchmarks::Rvaser>(argc, argv); }

// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: BS::thread_pool.

#include "../executors/bs.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::dispatch::run<benchmarks::Bs>(argc, argv); }

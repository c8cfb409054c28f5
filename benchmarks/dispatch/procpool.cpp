// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: procpool.

#include "../executors/procpool.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::dispatch::run<benchmarks::Procpool>(argc, argv); }

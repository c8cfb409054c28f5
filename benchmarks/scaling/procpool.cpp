// SPDX-License-Identifier: BSL-1.0
/// \file
/// scaling: Procpool.

#include "../executors/procpool.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::scaling::run<benchmarks::Procpool>(argc, argv); }

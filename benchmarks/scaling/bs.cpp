// SPDX-License-Identifier: BSL-1.0
/// \file
/// scaling: Bs.

#include "../executors/bs.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::scaling::run<benchmarks::Bs>(argc, argv); }

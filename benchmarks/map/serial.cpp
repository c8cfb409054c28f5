// SPDX-License-Identifier: BSL-1.0
/// \file
/// map: a loop.

#include "../executors/serial.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::maps::run<benchmarks::Serial>(argc, argv); }

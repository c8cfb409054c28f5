// SPDX-License-Identifier: BSL-1.0
/// \file
/// real: a loop.

#include "../executors/serial.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::real::run<benchmarks::Serial>(argc, argv); }

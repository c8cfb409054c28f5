// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: a function call, which has no dispatch.

#include "../executors/serial.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::dispatch::run<benchmarks::Serial>(argc, argv); }

// SPDX-License-Identifier: BSL-1.0
/// \file
/// startup: Bs.

#include "../executors/bs.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::startup::run<benchmarks::Bs>(argc, argv); }

// SPDX-License-Identifier: BSL-1.0
/// \file
/// scaling: Rvaser.

#include "../executors/rvaser.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::scaling::run<benchmarks::Rvaser>(argc, argv); }

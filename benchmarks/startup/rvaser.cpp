// SPDX-License-Identifier: BSL-1.0
/// \file
/// startup: Rvaser.

#include "../executors/rvaser.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::startup::run<benchmarks::Rvaser>(argc, argv); }

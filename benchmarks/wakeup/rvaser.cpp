// SPDX-License-Identifier: BSL-1.0
/// \file
/// wakeup: Rvaser.

#include "../executors/rvaser.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::wakeup::run<benchmarks::Rvaser>(argc, argv); }

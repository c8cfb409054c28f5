// SPDX-License-Identifier: BSL-1.0
/// \file
/// wakeup: Bs.

#include "../executors/bs.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::wakeup::run<benchmarks::Bs>(argc, argv); }

// SPDX-License-Identifier: BSL-1.0
/// \file
/// wakeup: Procpool.

#include "../executors/procpool.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::wakeup::run<benchmarks::Procpool>(argc, argv); }

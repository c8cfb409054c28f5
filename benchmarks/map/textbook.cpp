// SPDX-License-Identifier: BSL-1.0
/// \file
/// map: a textbook thread pool, a task for each part.

#include "../executors/textbook.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::maps::run<benchmarks::Textbook>(argc, argv); }

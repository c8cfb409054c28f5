// SPDX-License-Identifier: BSL-1.0
/// \file
/// real: a textbook thread pool.

#include "../executors/textbook.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::real::run<benchmarks::Textbook>(argc, argv); }

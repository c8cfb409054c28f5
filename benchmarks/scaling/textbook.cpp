// SPDX-License-Identifier: BSL-1.0
/// \file
/// scaling: Textbook.

#include "../executors/textbook.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::scaling::run<benchmarks::Textbook>(argc, argv); }

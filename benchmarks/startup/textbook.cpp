// SPDX-License-Identifier: BSL-1.0
/// \file
/// startup: Textbook.

#include "../executors/textbook.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::startup::run<benchmarks::Textbook>(argc, argv); }

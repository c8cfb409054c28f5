// SPDX-License-Identifier: BSL-1.0
/// \file
/// wakeup: Textbook.

#include "../executors/textbook.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::wakeup::run<benchmarks::Textbook>(argc, argv); }

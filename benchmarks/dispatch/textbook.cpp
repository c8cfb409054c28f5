// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: a mutex, a condition variable and std::packaged_task.

#include "../executors/textbook.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::dispatch::run<benchmarks::Textbook>(argc, argv); }

// SPDX-License-Identifier: BSL-1.0
/// \file
/// map: Boost.Asio's thread_pool, a task for each part.

#include "../executors/asio.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::maps::run<benchmarks::Asio>(argc, argv); }

// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: Boost.Asio's thread_pool.

#include "../executors/asio.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::dispatch::run<benchmarks::Asio>(argc, argv); }

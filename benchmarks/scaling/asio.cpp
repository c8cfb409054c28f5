// SPDX-License-Identifier: BSL-1.0
/// \file
/// scaling: Asio.

#include "../executors/asio.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::scaling::run<benchmarks::Asio>(argc, argv); }

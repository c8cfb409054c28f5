// SPDX-License-Identifier: BSL-1.0
/// \file
/// startup: Asio.

#include "../executors/asio.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::startup::run<benchmarks::Asio>(argc, argv); }

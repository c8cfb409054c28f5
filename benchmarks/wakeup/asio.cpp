// SPDX-License-Identifier: BSL-1.0
/// \file
/// wakeup: Asio.

#include "../executors/asio.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::wakeup::run<benchmarks::Asio>(argc, argv); }

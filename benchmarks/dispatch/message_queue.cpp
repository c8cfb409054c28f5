// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: Boost.Interprocess's message_queue.

#include "../executors/message_queue.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::dispatch::run<benchmarks::MessageQueue, false>(argc, argv); }

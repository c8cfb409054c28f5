// SPDX-License-Identifier: BSL-1.0
/// \file
/// startup: MessageQueue.

#include "../executors/message_queue.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::startup::run<benchmarks::MessageQueue>(argc, argv); }

// SPDX-License-Identifier: BSL-1.0
/// \file
/// scaling: MessageQueue.

#include "../executors/message_queue.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::scaling::run<benchmarks::MessageQueue>(argc, argv); }

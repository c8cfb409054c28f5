// SPDX-License-Identifier: BSL-1.0
/// \file
/// wakeup: MessageQueue.

#include "../executors/message_queue.hpp"
#include "config.hpp"

int main(int argc, char** argv) { return benchmarks::wakeup::run<benchmarks::MessageQueue>(argc, argv); }

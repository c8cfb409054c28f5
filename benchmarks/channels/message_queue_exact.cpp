// SPDX-License-Identifier: BSL-1.0
/// \file
/// channels: Boost's message_queue of messages of exactly the items' size.
#include "message_queue.hpp"

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        measure_channel<MessageQueue<16, 16>, MessageQueue<4096, 4096>>(arguments, 2);
    });
}

// SPDX-License-Identifier: BSL-1.0
/// \file
/// channels: Boost's message_queue of messages of up to 4,096 bytes, the usual setting.
#include "message_queue.hpp"

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        measure_channel<MessageQueue<16, 4096>, MessageQueue<4096, 4096>>(arguments, 2);
    });
}

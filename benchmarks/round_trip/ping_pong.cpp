// SPDX-License-Identifier: BSL-1.0
/// \file
/// round_trip: a raw ping-pong.

#include "../ping_pong.hpp"
#include "config.hpp"

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        report(round_trip::name, ping_pong(round_trip::how_long(arguments)), "ns");
    });
}

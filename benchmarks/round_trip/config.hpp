// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// round_trip: an empty task and a raw ping-pong, in rounds so short that both meet the machine in the same state.

#include "../common.hpp"

#include <chrono>

namespace benchmarks::round_trip {

constexpr const char* name = "round trip of an empty task";

inline std::chrono::milliseconds how_long(const Arguments& arguments) {
    return std::chrono::milliseconds{arguments.pick(1, 30, 60)};
}

}  // namespace benchmarks::round_trip

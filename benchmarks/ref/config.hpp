// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ref: one large value, which many tasks read: 200,000 strings, 5 MB as they travel.

#include "../common.hpp"
#include "../turns.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace benchmarks::ref {

constexpr const char* plain = "a task with an int";
constexpr const char* referred = "a task with 200,000 strings that were put, and an int";
constexpr const char* by_value = "a task with 200,000 strings by value";

inline std::vector<std::string> make_words(const Arguments& arguments) {
    std::vector<std::string> words(arguments.pick<std::size_t>(1000, 200'000, 200'000));
    for (std::size_t i = 0; i < words.size(); ++i) { words[i] = "word number " + std::to_string(i); }
    return words;
}

}  // namespace benchmarks::ref

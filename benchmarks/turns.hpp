// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Turns: cases of one program that take turns, round by round, since a machine's speed drifts.

#include "common.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace benchmarks {

/// The least times of what takes turns.
class Turns {
public:
    explicit Turns(std::size_t rounds) : rounds_(rounds) {}
    /// run: does `count` operations, and returns the seconds they took.
    void add(std::string name, std::size_t count, std::function<double()> run) {
        all_.push_back({std::move(name), count, std::move(run)});
    }
    void run_and_report() {
        for (std::size_t round = 0; round < rounds_; ++round) {
            for (Turn& turn : all_) { turn.least = std::min(turn.least, turn.run()); }
        }
        for (const Turn& turn : all_) { report(turn.name, turn.least * 1e9 / static_cast<double>(turn.count), "ns"); }
    }

private:
    struct Turn {
        std::string name;
        std::size_t count;
        std::function<double()> run;
        double least = 1e9;
    };
    std::size_t rounds_;
    std::vector<Turn> all_;
};

}  // namespace benchmarks

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// recovery: how soon work goes on after every worker was killed, and what it costs when workers keep being killed.

#include "../common.hpp"

#include <string>
#include <vector>

namespace benchmarks::recovery {

constexpr const char* next_result = "all workers killed, until the next result";

/// Reports the median of `once`, which returns seconds.
template <class Once>
void report_median(const Arguments& arguments, Once once) {
    std::vector<double> all;
    for (int i = 0; i < arguments.pick(2, 11, 21); ++i) { all.push_back(once() * 1e9); }
    report(next_result, median(all), "ns");
}

inline std::vector<int> kills_per_second(const Arguments& arguments) {
    return arguments.size == Size::tiny ? std::vector{100} : std::vector{1, 10, 100};
}

/// Seconds, such that there is a kill or more.
inline double duration(const Arguments& arguments, int kills) {
    return kills == 0   ? arguments.pick(0.01, 0.3, 0.5)
           : kills == 1 ? arguments.pick(1.0, 1.0, 2.0)
                        : arguments.pick(0.03, 0.3, 0.5);
}

inline std::string at(const char* what, int kills) {
    return what + std::to_string(kills) + (kills == 1 ? " kill a second" : " kills a second");
}

}  // namespace benchmarks::recovery

// SPDX-License-Identifier: BSL-1.0
// scatter() leaves a part of a range in the memory of each worker, so that many steps over the same data send it once.
// apply_on() runs a function on one worker, with what that worker has.

#include <procpool/procpool.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>
#include <numeric>
#include <ranges>
#include <span>
#include <vector>

double sum_of(std::span<const double> part) { return std::accumulate(part.begin(), part.end(), 0.0); }

void scale(std::span<double> part, double factor) {
    for (double& value : part) { value *= factor; }
}

int main() {
    procpool::ProcessPool pool{3};
    const auto numbers = std::views::iota(1, 11) | std::views::transform([](int n) { return double(n); });

    procpool::Scattered<double> parts = pool.scatter(numbers);
    const std::vector<double> sums = parts.apply(sum_of);
    const double total = std::accumulate(sums.begin(), sums.end(), 0.0);
    parts.apply(scale, 100 / total);  // where they are
    fmt::print("sums by worker: {}, percent of all: {::.1f}\n", sums, parts.gather());

    // A worker that dies takes its part along, unless scatter() was asked to keep a copy to make it again from.
    procpool::Scattered<double> kept = pool.scatter({.remake = true}, numbers);
    try {
        pool.apply_on(1, [] { std::raise(SIGKILL); });
    } catch (const procpool::WorkerDied&) { fmt::print("worker 1 is gone\n"); }
    try {
        parts.apply(sum_of);
    } catch (const procpool::PartLost& error) { fmt::print("part {} is lost\n", error.part()); }
    fmt::print("sums by worker: {}\n", kept.apply(sum_of));
}

// SPDX-License-Identifier: BSL-1.0
// map_reduce() folds the results where they are made, in blocks of 256 items: the sum of floating-point numbers has the
// same bits with any number of workers.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <ranges>

double term(int n) { return 1.0 / n / n; }

double pi(std::size_t workers) {
    procpool::ProcessPool pool{workers};
    return std::sqrt(6 * pool.map_reduce(term, std::plus<>{}, 0.0, std::views::iota(1, 100'001)));
}

int main() {
    const double with_one = pi(1);
    const double with_three = pi(3);
    fmt::print("{:.4f}, the same with three workers: {}\n", with_one, with_one == with_three);
    fmt::print("{:.6f} less than pi\n", std::numbers::pi - with_one);
}

// SPDX-License-Identifier: BSL-1.0
// broadcast() runs a function exactly once in every worker: to change settings, to load or to drop what workers keep.

#include <procpool/procpool.hpp>

#include <fmt/ranges.h>

#include <ranges>
#include <vector>

int precision = 1;  // every worker has its own; the parent's stays as it is

int main() {
    procpool::ProcessPool pool{3};

    const std::vector<int> before = pool.broadcast(
        [](int digits) {
            const int old = precision;
            precision = digits;
            return old;
        },
        4);
    fmt::print("before, by worker: {}\n", before);

    const std::vector<int> now = pool.map([](int) { return precision; }, std::views::iota(0, 5));
    fmt::print("in tasks: {}, in the parent: {}\n", now, precision);
}

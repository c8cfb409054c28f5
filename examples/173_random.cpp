// SPDX-License-Identifier: BSL-1.0
// A function that takes a procpool::Random& behind its item draws from that item's own stream of random numbers, so a
// simulation gives the same digits for every number of workers, and a program can repeat any item of it alone.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <cstdint>
#include <functional>
#include <ranges>

constexpr std::uint64_t throws_per_item = 10'000;

/// Throws darts at a square. Returns: how many hit the circle in it.
std::uint64_t hits(int, procpool::Random& random) {
    std::uint64_t count = 0;
    for (std::uint64_t i = 0; i < throws_per_item; ++i) {
        const double x = static_cast<double>(random() >> 11) * 0x1p-53;  // 53 bits: the same with every library
        const double y = static_cast<double>(random() >> 11) * 0x1p-53;
        if (x * x + y * y < 1) { ++count; }
    }
    return count;
}

double pi(std::size_t workers, std::uint64_t seed) {
    procpool::ProcessPool pool{workers};
    const auto items = std::views::iota(0, 200);
    const auto all = pool.map_reduce({.seed = seed}, hits, std::plus<>{}, std::uint64_t{0}, items);
    return 4.0 * static_cast<double>(all) / (200.0 * throws_per_item);
}

int main() {
    for (const std::size_t workers : {1, 2, 5}) { fmt::print("{} worker(s): pi is {}\n", workers, pi(workers, 2011)); }
    fmt::print("another seed: pi is {}\n", pi(2, 2012));

    procpool::ProcessPool pool{2};
    const auto counts = pool.map({.seed = 2011}, hits, std::views::iota(0, 200));
    procpool::Random of_item_17{2011, 17};
    fmt::print("item 17 hits {} times, and {} when it is repeated here\n", counts[17], hits(17, of_item_17));
}

// SPDX-License-Identifier: BSL-1.0
// map(): one function, many items. The results are in the order of the items, whichever worker computed them.

#include <procpool/procpool.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// How many steps n takes to 1 if even numbers are halved and odd ones become 3n + 1.
int collatz_steps(long n) {
    int steps = 0;
    for (; n != 1; ++steps) { n = n % 2 == 0 ? n / 2 : 3 * n + 1; }
    return steps;
}

int main() {
    procpool::ProcessPool pool;  // as many workers as this process may use CPUs

    // [map]
    // A range of anything that can travel: here strings in, and pairs out.
    const std::vector<std::string> words{"process", "pool"};
    const auto lengths = pool.map([](const std::string& word) { return std::pair{word, word.size()}; }, words);
    // [/map]
    fmt::print("{}\n", lengths);

    // [map]
    // A view will do: its items are made as they are handed out. Workers take many cheap items at once.
    const std::vector<int> steps = pool.map(collatz_steps, std::views::iota(1L, 1'000'000L));
    // [/map]
    const auto longest = std::ranges::max_element(steps);
    fmt::print("{} takes {} steps, the most below a million\n", longest - steps.begin() + 1, *longest);

    // [map]
    // A closure captures by value.
    int factor = 10;
    fmt::print("{}\n", pool.map([factor](int n) { return factor * n; }, std::views::iota(1, 6)));
    // [/map]

    // An item that fails makes the call fail with its error.
    try {
        pool.map([](const std::string& text) { return std::stoi(text); },
                 std::vector<std::string>{"12", "twelve", "13"});
    } catch (const std::invalid_argument& error) { fmt::print("invalid argument: {}\n", error.what()); }
}

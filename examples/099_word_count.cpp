// SPDX-License-Identifier: BSL-1.0
// map_reduce_by_key() folds values that belong together, where they are made: the words of lines are counted, and
// numbers are sorted into a histogram. The result is a std::map.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <functional>
#include <ranges>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

std::vector<std::pair<std::string, int>> words(const std::string& line) {
    std::vector<std::pair<std::string, int>> all;
    std::istringstream in{line};
    for (std::string word; in >> word;) { all.emplace_back(word, 1); }
    return all;
}

int main() {
    procpool::ProcessPool pool{4};
    const std::vector<std::string> lines{"if you can keep your head", "if you can trust yourself", "if you can dream"};
    for (const auto& [word, count] : pool.map_reduce_by_key(words, std::plus<>{}, lines)) {
        if (count > 1) { fmt::print("{}: {}\n", word, count); }
    }

    const auto digits = [](int n) { return std::pair{std::to_string(n * n).size(), 1}; };
    for (const auto& [size, count] : pool.map_reduce_by_key(digits, std::plus<>{}, std::views::iota(1, 10'000))) {
        fmt::print("{:5} squares have {} digits\n", count, size);
    }
}

// SPDX-License-Identifier: BSL-1.0
/// \file
/// real: procpool's map() and map_reduce_by_key().

#include "../executors/procpool.hpp"
#include "config.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr auto words = [](const std::string& path) {
    const std::string text = benchmarks::real::content(path);
    std::vector<std::pair<std::string, std::uint32_t>> all;
    all.reserve(text.size() / 8);  // words, about
    benchmarks::real::for_each_word(text, [&](std::string_view word) { all.emplace_back(word, 1); });
    return all;
};

}  // namespace

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        procpool::Pool pool{arguments.workers};
        real::measure(
            arguments, [&pool](auto f, const auto& items) { return pool.map(f, items); },
            [&pool](const std::vector<std::string>& paths) {
                return pool.map_reduce_by_key(words, std::plus<>{}, paths);
            });
    });
}

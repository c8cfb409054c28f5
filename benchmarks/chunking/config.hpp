// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// chunking: items that cost more or less. An item is work of a known number of instructions, done by spinning.

#include "../common.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace benchmarks::chunking {

/// Spins; each iteration is two instructions and about a third of a nanosecond. Aligned, since both take half as long
/// again where they cross a line of the decoder.
inline void spin(std::uint32_t iterations) {
    asm volatile(".p2align 6\n1:\tdec %0\n\tjnz 1b" : "+r"(iterations) : : "cc");
}
constexpr double iterations_per_nanosecond = 3;

constexpr auto work = [](std::uint32_t iterations) {
    spin(iterations);
    return iterations + 1;
};

using Items = std::vector<std::uint32_t>;

struct Case {
    std::string name;
    std::vector<Items> variants;  // their times are added
};

/// How much an item costs, relative to the others. variant: of as many as there are.
inline double weight(std::string_view profile, std::size_t i, std::size_t n, std::size_t variant, std::size_t variants,
                     std::mt19937& random) {
    if (profile == "uniform") { return 1; }
    if (profile == "random") { return std::exponential_distribution<double>{1}(random); }
    if (profile == "descending") { return static_cast<double>(n - i); }
    if (profile == "bimodal") { return std::uniform_int_distribution<>{0, 9}(random) == 0 ? 50 : 1; }
    return i == (2 * variant + 1) * n / (2 * variants) ? static_cast<double>(n) : 1;  // one item that is half of all
}

/// The place of the one huge item decides which competitor is lucky: one that shares the items out by halves, or one
/// that goes through them in order. So it is at four places.
inline std::size_t variants_of(std::string_view profile) { return profile == "one huge item" ? 4 : 1; }

inline std::vector<Case> cases(const Arguments& arguments) {
    using Costs = std::vector<std::pair<const char*, double>>;
    const Costs few{{"50 ns", 50}, {"50 µs", 50e3}};
    const Costs all{{"50 ns", 50}, {"5 µs", 5e3}, {"500 µs", 500e3}, {"50 ms", 50e6}};
    const double total = arguments.pick(0.2e6, 10e6, 80e6);  // nanoseconds
    std::vector<Case> result;
    for (const auto& [cost_name, cost] : arguments.pick(few, few, all)) {
        for (const char* const profile : {"uniform", "random", "descending", "bimodal", "one huge item"}) {
            const std::size_t variants = variants_of(profile);
            const auto n = static_cast<std::size_t>(std::max(16.0, total / cost / static_cast<double>(variants)));
            Case one{std::string{profile} + ", " + cost_name + " an item", {}};
            for (std::size_t variant = 0; variant < variants; ++variant) {
                std::mt19937 random{42};
                std::vector<double> weights(n);
                for (std::size_t i = 0; i < n; ++i) { weights[i] = weight(profile, i, n, variant, variants, random); }
                const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
                Items items(n);
                for (std::size_t i = 0; i < n; ++i) {
                    items[i] = 1 + static_cast<std::uint32_t>(weights[i] / sum * static_cast<double>(n) * cost *
                                                              iterations_per_nanosecond);
                }
                one.variants.push_back(std::move(items));
            }
            result.push_back(std::move(one));
        }
    }
    return result;
}

inline void check(const Items& results, const Items& items) {
    require(results.size() == items.size(), "wrong size");
    for (std::size_t i = 0; i < items.size(); ++i) { require(results[i] == items[i] + 1, "wrong result"); }
}

/// The sizes of a chunk, a grain or a schedule that are tried.
inline std::vector<std::size_t> sweep() { return {1, 4, 16, 64, 256, 1024, 4096}; }

/// Reports the least time of `map(items, setting)` over the settings, for every case. A competitor with fewer settings
/// has more tries with each: the least of seven is less than the least of one.
template <class Map>
void measure(const Arguments& arguments, const std::vector<std::size_t>& settings, Map map) {
    for (const Case& one : cases(arguments)) {
        double best = 1e300;
        for (const std::size_t setting : settings) {
            if (setting > one.variants.front().size()) { continue; }
            for (std::size_t tries = sweep().size() / settings.size(); tries > 0; --tries) {
                double sum = 0;
                for (const Items& items : one.variants) {
                    Items results;
                    sum += seconds([&] { results = map(items, setting); });
                    check(results, items);
                }
                best = std::min(best, sum);
            }
        }
        report(one.name, best * 1e9, "ns");
    }
}

/// As a loop over ranges does it: run(n, setting, body).
template <class Loop>
auto into_vector(Loop run) {
    return [run](const Items& items, std::size_t setting) {
        Items results(items.size());
        run(items.size(), setting, [&](std::size_t first, std::size_t last) {
            for (std::size_t i = first; i < last; ++i) { results[i] = work(items[i]); }
        });
        return results;
    };
}

}  // namespace benchmarks::chunking

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// map: many items with a function of one instruction, where moving the data is the only work; and strings.

#include "../common.hpp"
#include "../executors/executor.hpp"

#include <cctype>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace benchmarks::maps {

constexpr const char* new_vector = "5 million doubles to a new vector";
constexpr const char* in_place = "5 million doubles in place";
constexpr const char* strings = "100,000 strings of 26 characters to a new vector";

inline std::size_t doubles(const Arguments& arguments) {
    return arguments.pick<std::size_t>(50'000, 5'000'000, 5'000'000);
}

constexpr auto twice = [](double x) { return x + x; };
constexpr auto capitals = [](std::string text) {
    for (char& one : text) { one = static_cast<char>(std::toupper(static_cast<unsigned char>(one))); }
    return text;
};

inline std::vector<double> numbers(const Arguments& arguments) {
    std::vector<double> all(doubles(arguments));
    for (std::size_t i = 0; i < all.size(); ++i) { all[i] = static_cast<double>(i); }
    return all;
}

inline std::vector<std::string> texts(const Arguments& arguments) {
    std::vector<std::string> all(arguments.pick<std::size_t>(1000, 100'000, 100'000));
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::string number = std::to_string(i);
        all[i] = "a string, its number: " + number;
        all[i].resize(26, '.');
    }
    return all;
}

/// Throws: std::runtime_error, unless every element is its index times `factor`.
template <class Range>
void check(const Range& results, std::size_t count, double factor) {
    require(results.size() == count, "wrong size");
    bool right = true;
    for (std::size_t i = 0; i < count; ++i) { right = right && results[i] == factor * static_cast<double>(i); }
    require(right, "wrong result");
}

inline void check(const std::vector<std::string>& results, const std::vector<std::string>& items) {
    require(results.size() == items.size(), "wrong size");
    for (std::size_t i = 0; i < items.size(); ++i) { require(results[i] == capitals(items[i]), "wrong string"); }
}

inline void report_time(const char* name, double took) { report(name, took * 1e9, "ns"); }

/// A competitor's main().
template <class E>
int run(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        E executor{arguments.workers};
        std::vector<double> items = numbers(arguments);
        map(executor, arguments.workers, twice, items);  // the threads have started
        std::vector<double> results;
        report_time(new_vector, seconds([&] { results = map(executor, arguments.workers, twice, items); }));
        check(results, items.size(), 2);

        const auto change = [&] {
            for_ranges(executor, arguments.workers, items.size(), [&items](std::size_t first, std::size_t last) {
                for (std::size_t i = first; i < last; ++i) { items[i] = twice(items[i]); }
            });
        };
        change();
        report_time(in_place, seconds(change));
        check(items, items.size(), 4);

        const std::vector<std::string> all = texts(arguments);
        map(executor, arguments.workers, capitals, all);
        std::vector<std::string> changed;
        report_time(strings, seconds([&] { changed = map(executor, arguments.workers, capitals, all); }));
        check(changed, all);
    });
}

}  // namespace benchmarks::maps

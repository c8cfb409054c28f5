// SPDX-License-Identifier: BSL-1.0
/// \file
/// journal: MapOptions::journal. Also the same calls without one, and a long call that goes on in the middle.

#include "config.hpp"

#include <procpool/procpool.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace {

using namespace benchmarks;
using namespace benchmarks::journal;

int ten_microseconds(int i) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds{10};
    while (std::chrono::steady_clock::now() < end) {}
    return i;
}

void measure(const Arguments& arguments) {
    const Folder folder;
    procpool::Pool pool{arguments.workers};
    const std::size_t count = arguments.pick<std::size_t>(1000, 20'000, 100'000);
    const std::vector<int> items = numbers(count);
    const std::string file = folder.file("journal");
    const auto run = [&](const procpool::MapOptions& options) {
        std::vector<std::string> results;
        const double took = seconds([&] { results = pool.map(options, hundred_bytes, items); });
        require_all(results, count);
        return took;
    };
    Turns turns{arguments.pick<std::size_t>(1, 3, 5)};
    turns.add("100,000 results of 100 B", count, [&] { return run({}); });
    turns.add(kept, count, [&] {
        folder.empty();
        return run({.journal = file});
    });
    turns.add(given_again, count, [&] { return run({.journal = file}); });
    turns.add("100,000 results of 100 B, one by one", count, [&] { return run({.chunk_size = 1}); });
    turns.add("100,000 results of 100 B, one by one, kept", count, [&] {
        folder.empty();
        return run({.chunk_size = 1, .journal = file});
    });
    turns.add("the same, one by one, given again", count, [&] { return run({.journal = file}); });
    turns.run_and_report();
}

void measure_resumption(const Arguments& arguments) {
    const Folder folder;
    procpool::Pool pool{arguments.workers};
    const std::size_t half = arguments.pick<std::size_t>(1000, 50'000, 500'000);
    const std::vector<int> items = numbers(2 * half);
    const std::vector<int> first(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(half));
    const std::string file = folder.file("journal");
    const auto run = [&](const procpool::MapOptions& options, const std::vector<int>& of) {
        std::vector<int> results;
        const double took = seconds([&] { results = pool.map(options, ten_microseconds, of); });
        require(results == of, "the results");
        return took;
    };
    Turns turns{arguments.pick<std::size_t>(1, 1, 2)};
    turns.add("an item of 10 µs, half a million of them", half, [&] { return run({}, first); });
    turns.add("an item of 10 µs, half a million that are left of a million", half, [&] {
        folder.empty();
        static_cast<void>(run({.journal = file}, first));
        return run({.journal = file}, items);
    });
    turns.run_and_report();
}

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        measure(arguments);
        measure_resumption(arguments);
    });
}

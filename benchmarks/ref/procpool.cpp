// SPDX-License-Identifier: BSL-1.0
/// \file
/// ref: tasks with a large value that was put to the pool once, to the same tasks with the value, and without. They
/// take turns in one program; the figures are the least of the rounds.

#include "../common.hpp"
#include "../turns.hpp"

#include <procpool/procpool.hpp>

#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace benchmarks;

using Words = std::vector<std::string>;

constexpr auto by_number = [](int i) { return i; };
constexpr auto by_words = [](const Words& words, int i) { return static_cast<int>(words.size()) + i; };
constexpr auto by_view = [](std::span<const double> numbers, int i) { return static_cast<int>(numbers.size()) + i; };

void measure(const Arguments& arguments) {
    const std::size_t size = arguments.pick<std::size_t>(1000, 200'000, 200'000);
    const std::size_t count = arguments.pick<std::size_t>(100, 2000, 2000);
    Words words(size);
    for (std::size_t i = 0; i < size; ++i) { words[i] = "word number " + std::to_string(i); }
    procpool::Pool pool{arguments.workers};
    const procpool::Ref<Words> ref = pool.put(words);
    const procpool::Ref<std::vector<double>> numbers = pool.put(std::vector<double>(size));
    static_cast<void>(pool.broadcast(by_words, ref, 0));

    std::vector<procpool::Future<int>> futures(count);
    const auto submit_and_collect = [&](int base, auto submit) {
        bool right = true;
        const double took = seconds([&] {
            for (int i = 0; auto& future : futures) { future = submit(i++); }
            for (int i = 0; auto& future : futures) { right = future.get() == base + i++ && right; }
        });
        require(right, "wrong result");
        return took;
    };
    const auto all = static_cast<int>(size);
    Turns turns{arguments.pick<std::size_t>(2, 30, 200)};
    turns.add("a task with an int", count,
              [&] { return submit_and_collect(0, [&](int i) { return pool.apply_async(by_number, i); }); });
    turns.add("a task with 200,000 strings that were put, and an int", count,
              [&] { return submit_and_collect(all, [&](int i) { return pool.apply_async(by_words, ref, i); }); });
    turns.add("a task with a view of doubles that were put, and an int", count,
              [&] { return submit_and_collect(all, [&](int i) { return pool.apply_async(by_view, numbers, i); }); });
    turns.run_and_report();

    Turns slow{arguments.pick<std::size_t>(1, 3, 10)};
    slow.add("a task with 200,000 strings by value", 1,
             [&] { return seconds([&] { require(pool.apply(by_words, words, 1) == all + 1, "wrong result"); }); });
    std::optional<procpool::Ref<Words>> fresh;
    slow.add("to put 200,000 strings", 1, [&] { return seconds([&] { fresh = pool.put(words); }); });
    slow.add("the first task with them", 1,
             [&] { return seconds([&] { require(pool.apply(by_words, *fresh, 1) == all + 1, "wrong result"); }); });
    slow.run_and_report();
    const std::vector<int> items = [&] {
        std::vector<int> made(count);
        std::iota(made.begin(), made.end(), 0);
        return made;
    }();
    Turns maps{arguments.pick<std::size_t>(2, 30, 200)};
    maps.add("map, an item", count, [&] {
        return seconds([&] { require(pool.map(by_number, items).back() == items.back(), "wrong result"); });
    });
    maps.add("map, an item with 200,000 strings that were put", count, [&] {
        return seconds([&] {
            const std::vector<int> results = pool.map(procpool::bind_front(by_words, ref), items);
            require(results.back() == all + items.back(), "wrong result");
        });
    });
    maps.run_and_report();
}

}  // namespace

int main(int argc, char** argv) { return program(argc, argv, measure); }

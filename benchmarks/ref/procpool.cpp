// SPDX-License-Identifier: BSL-1.0
/// \file
/// ref: tasks with a large value that was put to the pool once, next to the same tasks with that value by itself, and
/// to tasks with an int alone. Those of one table take turns in this program; a figure is the least of its rounds.
/// Small tasks are submitted all at once, then collected; a value by itself is sent and awaited one at a time.

#include "config.hpp"

#include <procpool/procpool.hpp>

#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace benchmarks;
using namespace benchmarks::ref;

using Words = std::vector<std::string>;

constexpr auto by_number = [](int i) { return i; };
constexpr auto by_words = [](const Words& words, int i) { return static_cast<int>(words.size()) + i; };
constexpr auto by_view = [](std::span<const double> numbers, int i) { return static_cast<int>(numbers.size()) + i; };

/// Adds tasks to what takes turns, one for each future: submit(i) submits the i-th, whose result is to be base + i.
template <class Submit>
void add_tasks(Turns& turns, const char* name, std::vector<procpool::Future<int>>& futures, int base, Submit submit) {
    turns.add(name, futures.size(), [name, &futures, base, submit] {
        bool is_right = true;
        const double took = seconds([&] {
            for (int i = 0; auto& future : futures) { future = submit(i++); }
            for (int i = 0; auto& future : futures) { is_right = future.get() == base + i++ && is_right; }
        });
        require(is_right, name);
        return took;
    });
}

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        const Words words = make_words(arguments);
        const auto all = static_cast<int>(words.size());
        const std::size_t count = arguments.pick<std::size_t>(100, 2000, 2000);
        procpool::Pool pool{arguments.workers};
        const procpool::Ref<Words> put = pool.put(words);
        const procpool::Ref<std::vector<double>> numbers = pool.put(std::vector<double>(words.size()));
        // Each worker has decoded the values.
        static_cast<void>(pool.broadcast(by_words, put, 0));
        static_cast<void>(pool.broadcast(by_view, numbers, 0));

        std::vector<procpool::Future<int>> futures(count);
        Turns small{arguments.pick<std::size_t>(2, 50, 400)};
        add_tasks(small, plain, futures, 0, [&](int i) { return pool.apply_async(by_number, i); });
        add_tasks(small, referred, futures, all, [&](int i) { return pool.apply_async(by_words, put, i); });
        add_tasks(small, "a task with a view of doubles that were put, and an int", futures, all,
                  [&](int i) { return pool.apply_async(by_view, numbers, i); });
        small.run_and_report();

        Turns large{arguments.pick<std::size_t>(1, 3, 10)};
        large.add(by_value, 1,
                  [&] { return seconds([&] { require(pool.apply(by_words, words, 1) == all + 1, by_value); }); });
        std::optional<procpool::Ref<Words>> fresh;
        large.add("to put 200,000 strings", 1, [&] { return seconds([&] { fresh = pool.put(words); }); });
        large.add("the first task with them", 1, [&] {
            return seconds([&] { require(pool.apply(by_words, *fresh, 1) == all + 1, "the first task"); });
        });
        large.run_and_report();

        std::vector<int> items(count);
        std::iota(items.begin(), items.end(), 0);
        Turns maps{arguments.pick<std::size_t>(2, 30, 200)};
        maps.add("map, an item", count,
                 [&] { return seconds([&] { require(pool.map(by_number, items).back() == items.back(), "map"); }); });
        maps.add("map, an item with 200,000 strings that were put", count, [&] {
            return seconds([&] {
                const std::vector<int> results = pool.map(procpool::bind_front(by_words, put), items);
                require(results.back() == all + items.back(), "map with a Ref");
            });
        });
        maps.run_and_report();
    });
}

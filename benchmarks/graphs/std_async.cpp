// SPDX-License-Identifier: BSL-1.0
/// \file
/// graphs: std::async, where each task is a thread that waits for what it depends on. At most a few hundred steps of
/// the chain wait at a time.

#include "config.hpp"

#include <future>
#include <utility>
#include <vector>

int main(int argc, char** argv) {
    using namespace benchmarks;
    using namespace benchmarks::graphs;
    return program(argc, argv, [](const Arguments& arguments) {
        const auto submit = [](auto f, auto... args) { return std::async(std::launch::async, f, std::move(args)...); };
        const auto start = [&] { return submit([] { return increment(0); }); };
        Turns turns = make_turns(arguments);
        add_graphs(
            turns, arguments, 50,
            [&](int steps) {
                std::future<int> last = start();
                for (int i = 1; i < steps; ++i) {
                    last = submit([](std::future<int> before) { return increment(before.get()); }, std::move(last));
                    if (i % 250 == 0) { last.wait(); }
                }
                return last.get();
            },
            [&] {
                std::vector<std::future<int>> first;
                for (std::size_t i = 0; i < leaves; ++i) { first.push_back(start()); }
                return join_all(std::move(first),
                                [&](auto left, auto right) {
                                    return submit(
                                        [](std::future<int> x, std::future<int> y) { return add(x.get(), y.get()); },
                                        std::move(left), std::move(right));
                                })
                    .get();
            },
            [&](int wide) {
                const std::shared_future<int> one = start().share();
                std::vector<std::future<int>> all;
                for (int i = 0; i < wide; ++i) {
                    all.push_back(submit([](const std::shared_future<int>& x) { return increment(x.get()); }, one));
                }
                return submit(
                           [](std::vector<std::future<int>> each) {
                               std::vector<int> results;
                               for (auto& x : each) { results.push_back(x.get()); }
                               return sum(results);
                           },
                           std::move(all))
                    .get();
            });
        turns.run_and_report();
    });
}

// SPDX-License-Identifier: BSL-1.0
/// \file
/// graphs: procpool without futures as arguments: continuations in this program submit what comes next.

#include "config.hpp"

#include <procpool/procpool.hpp>

#include <tuple>
#include <utility>
#include <vector>

int main(int argc, char** argv) {
    using namespace benchmarks;
    using namespace benchmarks::graphs;
    return program(argc, argv, [](const Arguments& arguments) {
        procpool::Pool pool{arguments.workers};
        const auto submit = [&](int x) { return pool.apply_async(increment, x); };
        Turns turns = make_turns(arguments);
        add_graphs(
            turns, arguments, 20,
            [&](int steps) {
                procpool::Future<int> last = submit(0);
                for (int i = 1; i < steps; ++i) { last = std::move(last).then(submit); }
                return last.get();
            },
            [&] {
                std::vector<procpool::Future<int>> first;
                for (std::size_t i = 0; i < leaves; ++i) { first.push_back(submit(0)); }
                return join_all(
                           std::move(first),
                           [&](auto left, auto right) {
                               return when_all(std::move(left), std::move(right)).then([&](std::tuple<int, int> both) {
                                   return pool.apply_async(add, std::get<0>(both), std::get<1>(both));
                               });
                           })
                    .get();
            },
            [&](int wide) {
                const procpool::SharedFuture<int> one = submit(0).share();
                std::vector<procpool::Future<int>> all;
                for (int i = 0; i < wide; ++i) { all.push_back(one.then(submit)); }
                return when_all(all)
                    .then([&](const std::vector<int>& results) { return pool.apply_async(sum, results); })
                    .get();
            });
        turns.run_and_report();
    });
}

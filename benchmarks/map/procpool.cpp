// SPDX-License-Identifier: BSL-1.0
/// \file
/// map: procpool's map(), and for_each() on a SharedArray whose pages its workers have mapped.

#include "../executors/procpool.hpp"
#include "config.hpp"

#include <set>

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        procpool::Pool pool{arguments.workers};
        const std::vector<double> items = maps::numbers(arguments);
        pool.map(maps::twice, items);
        std::vector<double> results;
        maps::report_time(maps::new_vector, seconds([&] { results = pool.map(maps::twice, items); }));
        maps::check(results, items.size(), 2);

        const procpool::SharedArray<double> array{items.size()};
        std::ranges::copy(items, array.begin());
        std::set<std::size_t> mapped;
        for (int tries = 0; mapped.size() < arguments.workers && tries < 1000; ++tries) {
            const auto touch = [](std::span<double> all) {
                double sum = 0;
                for (std::size_t i = 0; i < all.size(); i += 512) { sum += all[i]; }
                return sum < 0 ? std::size_t{0} : procpool::this_worker::index();
            };
            std::vector<procpool::Future<std::size_t>> at_once;
            for (std::size_t i = 0; i < arguments.workers; ++i) {
                at_once.push_back(pool.apply_async(touch, array.span()));
            }
            for (auto& one : at_once) { mapped.insert(one.get()); }
        }
        const auto change = [&] { pool.for_each([](double& x) { x = maps::twice(x); }, array); };
        change();
        maps::report_time(maps::in_place, seconds(change));
        maps::check(array, items.size(), 4);

        const std::vector<std::string> all = maps::texts(arguments);
        pool.map(maps::capitals, all);
        std::vector<std::string> changed;
        maps::report_time(maps::strings, seconds([&] { changed = pool.map(maps::capitals, all); }));
        maps::check(changed, all);
    });
}

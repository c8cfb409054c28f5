// expect-success
// SPDX-License-Identifier: BSL-1.0
// The calls of the other cases with map, imap, starmap, map_reduce and map_reduce_by_key, done right.
#include <procpool/procpool.hpp>

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

void use(procpool::Pool& pool, const std::vector<int>& numbers, const std::vector<std::string>& texts,
         const std::vector<std::pair<int, int>>& pairs) {
    const auto add = [](int a, int b) { return a + b; };
    pool.map(add, numbers, numbers);
    pool.map([](int number, const std::string& text) { return text.size() + static_cast<std::size_t>(number); },
             numbers, texts);
    pool.for_each([](int) {}, numbers);
    static_cast<void>(pool.imap(add, numbers, numbers));
    pool.starmap(add, pairs);
    static_cast<void>(pool.map_outcomes(add, numbers, numbers));
    static_cast<void>(pool.map_reduce([](const std::string& text) { return text.size(); },
                                      [](std::size_t a, std::size_t b) { return a + b; }, std::size_t{0}, texts));
    static_cast<void>(pool.map_reduce_by_key(
        [](const std::string& text) {
            return std::pair{text.size(), text};
        },
        [](std::string a, const std::string& b) { return a + b; }, texts));
    static_cast<void>(pool.map_reduce_by_key(
        procpool::MapOptions{.retries = 1},
        [](const std::string& text) {
            return std::map<std::string, int>{{text, 1}};
        },
        add, texts));
    pool.map([](int number, const std::string& text) { return text.size() + static_cast<std::size_t>(number); },
             numbers, procpool::repeat("text"));
    pool.for_each(procpool::bind_front([](const std::vector<std::string>&, int) {}, texts), numbers);
    static_cast<void>(pool.for_each_async([](int) {}, numbers));
    static_cast<void>(pool.for_each_async({.total_timeout = std::chrono::seconds{5}}, add, numbers, numbers));
    static_cast<void>(pool.for_each_async([](int& n) { ++n; }, procpool::SharedArray<int>(1)));
    static_cast<void>(pool.imap_outcomes(add, numbers, procpool::repeat(1)));
    static_cast<void>(pool.imap_outcomes(
        {.window = 3}, [](int) {}, numbers));
    pool.map(
        {.seed = 1}, [](int, procpool::Random& random) { return random(); }, numbers);
    pool.for_each([](int& n, procpool::Random& random) { n = static_cast<int>(random()); },
                  procpool::SharedArray<int>(1));
    pool.apply([](procpool::Random random) { return random(); }, procpool::Random{1});
}

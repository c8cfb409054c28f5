// SPDX-License-Identifier: BSL-1.0
#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <ranges>
#include <sstream>
#include <stop_token>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace procpool_test;

namespace {

int add(int a, int b) { return a + b; }
std::size_t length(const char* text, int more) { return std::string{text}.size() + static_cast<std::size_t>(more); }

template <class P>
void zips() {
    P pool{3};
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{40}, std::size_t{1000}}) {
        const std::vector<int> a = first_numbers(n);
        const std::list<int> b(a.rbegin(), a.rend());
        std::vector<std::string> texts;
        for (const int i : a) { texts.push_back(std::to_string(i)); }
        const std::vector<int> sums(n, static_cast<int>(n) - 1);
        std::vector<std::string> expected;
        for (const int i : a) {
            expected.push_back(std::to_string(i) + ":" + std::to_string(i) + ":" +
                               std::to_string(static_cast<int>(n) - 1 - i));
        }
        SharedArray<int> shared(n);
        std::ranges::copy(a, shared.begin());
        for (const std::size_t chunk : {std::size_t{0}, std::size_t{1}, std::size_t{6}, n, n + 1}) {
            CAPTURE(n, chunk);
            const MapOptions options{.chunk_size = chunk};
            CHECK(pool.map(options, add, a, b) == sums);
            CHECK(pool.map(options, add, shared, b) == sums);
            CHECK(pool.map(options, add, Generator{static_cast<int>(n)}, b) == sums);
            CHECK(pool.map(options, add, b, Generator{static_cast<int>(n)}) == sums);
            CHECK(pool.map(
                      options,
                      [](int i, const std::string& text, int j) {
                          return std::to_string(i) + ":" + text + ":" + std::to_string(j);
                      },
                      a, texts, b) == expected);
        }
    }
}
ON_EVERY_ENGINE("API-05 map over several ranges equals the serial loop for every number and chunk size", zips)

template <class P>
void shortest() {
    P pool{2};
    const std::vector<int> three{1, 2, 3};
    CHECK(pool.map(add, three, std::vector<int>{1, 2}) == std::vector<int>{2, 4});
    CHECK(pool.map(add, std::vector<int>{1, 2}, three) == std::vector<int>{2, 4});
    CHECK(pool.map(add, three, std::views::iota(10)) == std::vector<int>{11, 13, 15});
    CHECK(pool.map(add, std::views::iota(10), Generator{2}) == std::vector<int>{10, 12});
    CHECK(pool.map(add, three, std::vector<int>{}).empty());
    std::istringstream stream{"5 6"};
    CHECK(pool.map(add, std::views::istream<int>(stream), three) == std::vector<int>{6, 8});
    int sum = 0;
    for (const auto& outcome : pool.map_outcomes(add, three, std::views::iota(1))) { sum += *outcome; }
    CHECK(sum == 12);
}
ON_EVERY_ENGINE("API-10 ranges are zipped to the shortest - endless ones included", shortest)

template <class P>
void many_kinds() {
    P pool{2};
    std::vector<std::unique_ptr<int>> owned;  // lvalues that cannot be copied
    owned.push_back(std::make_unique<int>(4));
    owned.push_back(std::make_unique<int>(5));
    const auto products =
        pool.map([](std::unique_ptr<int> p, int factor) { return std::make_unique<int>(*p * factor); }, owned,
                 std::array{10, 100});
    CHECK(*products[0] == 40);
    CHECK(*products[1] == 500);
    CHECK(*owned[0] == 4);
    CHECK(pool.map(length, std::array{"one", "three"}, std::array{10, 20}) == std::vector<std::size_t>{13, 25});
    std::vector<bool> bits{true, false};
    CHECK(pool.map([](bool a, bool b) { return a != b; }, bits, std::vector<bool>{true, true}) ==
          std::vector<bool>{false, true});
    CHECK(pool.map([](bool a) { return !a; }, bits) == std::vector<bool>{false, true});
    CHECK(pool.map([](const std::stop_token& stop, int a, int b) { return stop.stop_requested() ? 0 : a * b; },
                   std::array{2, 3}, std::array{4, 5}) == std::vector<int>{8, 15});
    // A reference result may be to an argument.
    CHECK(pool.map([](const std::string& a, const std::string& b) -> const std::string& { return a < b ? a : b; },
                   std::array{"x", "y"}, std::array{"w", "z"}) == std::vector<std::string>{"w", "y"});
    CHECK(pool.map([](const char* a, int) { return a; }, std::array{"text"}, std::array{1}) ==
          std::vector<std::string>{"text"});
    CHECK(pool.map(std::plus<>{}, std::vector{1, 2}, std::vector{0.5, 0.25}) == std::vector{1.5, 2.25});
    CHECK(pool.map(&std::string::size, std::vector<std::string>{"ab", "c"}) == std::vector<std::size_t>{2, 1});
    const int captured = 7;
    CHECK(pool.map([captured](int a, int b) { return a + b + captured; }, std::array{1}, std::array{2}) ==
          std::vector<int>{10});
}
ON_EVERY_ENGINE("API-02 zipped items and results of many types", many_kinds)

template <class P>
void stars() {
    P pool{3};
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{40}, std::size_t{1000}}) {
        std::vector<std::pair<int, int>> pairs;
        std::deque<std::tuple<int, std::string>> tuples;
        std::vector<std::array<int, 2>> arrays;
        std::vector<int> sums;
        std::vector<std::string> texts;
        for (const int i : first_numbers(n)) {
            pairs.emplace_back(i, 2 * i);
            arrays.push_back({i, 2 * i});
            tuples.emplace_back(i, "x");
            sums.push_back(3 * i);
            texts.push_back(std::to_string(i) + "x");
        }
        for (const std::size_t chunk : {std::size_t{0}, std::size_t{1}, std::size_t{6}, n + 1}) {
            CAPTURE(n, chunk);
            const MapOptions options{.chunk_size = chunk};
            CHECK(pool.starmap(options, add, pairs) == sums);
            CHECK(pool.starmap(options, add, arrays) == sums);
            CHECK(pool.starmap(
                      options, [](int i, std::string text) { return std::to_string(i) + text; }, tuples) == texts);
            CHECK(pool.starmap(options, add, first_numbers(n) | std::views::transform([](int i) {
                                                 return std::pair{i, 2 * i};
                                             })) == sums);
        }
    }
    CHECK(pool.starmap(add, std::map<int, int>{{1, 2}, {3, 4}}) == std::vector<int>{3, 7});
    CHECK(pool.starmap(length, std::vector<std::pair<const char*, int>>{{"one", 1}}) == std::vector<std::size_t>{4});
    CHECK(pool.starmap([] { return 1; }, std::vector<std::tuple<>>(3)) == std::vector<int>{1, 1, 1});
    CHECK(pool.starmap([](int i) { return -i; }, std::vector<std::tuple<int>>{{1}, {2}}) == std::vector<int>{-1, -2});
    std::vector<std::pair<std::unique_ptr<int>, int>> owned;
    owned.emplace_back(std::make_unique<int>(3), 4);
    CHECK(pool.starmap([](std::unique_ptr<int> a, int b) { return *a * b; }, owned) == std::vector<int>{12});
    // map() hands the tuple over as it is.
    CHECK(pool.map([](std::pair<int, int> p) { return p.first - p.second; },
                   std::vector<std::pair<int, int>>{{5, 3}}) == std::vector<int>{2});
}
ON_EVERY_ENGINE("API-05 starmap equals the serial loop for tuples/pairs and arrays", stars)

template <class P>
void for_each_zips() {
    SharedPage page;
    const Counter sum{page};
    P pool{2};
    pool.for_each(snapshot([sum](int a, const std::string& b) { sum.add(a * static_cast<int>(b.size())); }),
                  first_numbers(100), std::vector<std::string>(50, "ab"));
    CHECK(sum.value() == 49 * 50);
}
ON_EVERY_ENGINE("for_each over several ranges", for_each_zips)

template <class P>
void zipped_errors() {
    P pool{2};
    for (const std::size_t chunk : {0, 1, 3}) {
        const MapOptions options{.chunk_size = chunk};
        CHECK_THROWS_AS(pool.map(options, add, Generator{10, 7}, first_numbers(10)), std::domain_error);
        CHECK_THROWS_AS(pool.map(options, add, first_numbers(10), Generator{10, 0}), std::domain_error);
        CHECK(pool.map(options, add, first_numbers(5), Generator{10, 7}).size() == 5);
        CHECK_THROWS_AS(pool.map(
                            options, [](int a, int b) { return b == 6 ? throw std::out_of_range("6") : a; },
                            first_numbers(10), first_numbers(10)),
                        std::out_of_range);
    }
}
ON_EVERY_ENGINE("EXC-09 what any of the ranges throws comes out", zipped_errors)

TEST_CASE("a function that the workers do not have is refused also by calls over several ranges") {
    Pool pool{1};
    const auto code = std::make_unique<std::max_align_t>();
    const std::vector<int> one{1};
    CHECK_THROWS_AS(pool.map(reinterpret_cast<int (*)(int, int)>(code.get()), one, one), CodecError);
    CHECK_THROWS_AS(pool.map_outcomes(reinterpret_cast<int (*)(int)>(code.get()), one), CodecError);
}

}  // namespace

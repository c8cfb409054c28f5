// SPDX-License-Identifier: BSL-1.0
#include "map/ranges.hpp"
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <forward_list>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <ranges>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace procpool_test;

namespace {

std::set<std::size_t> chunk_sizes(std::size_t n) {
    std::set<std::size_t> sizes{0, 1, 2, 6, 50, n, n + 1};
    if (n > 1) { sizes.insert(n - 1); }
    return sizes;
}

// ---- the same as the serial loop

template <class P>
void equals_the_serial_loop() {
    constexpr std::size_t workers = 3;
    P pool{workers};
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}, workers - 1, workers, workers + 1,
                                std::size_t{40}, std::size_t{100}, std::size_t{1000}}) {
        const std::vector<int> numbers = first_numbers(n);
        const std::list<int> list(numbers.begin(), numbers.end());
        const std::deque<int> deque(numbers.begin(), numbers.end());
        const std::forward_list<int> forward(numbers.begin(), numbers.end());
        std::vector<std::string> texts;
        std::ostringstream written;
        for (const int i : numbers) {
            texts.push_back(std::string(static_cast<std::size_t>(i % 40), 'x') + std::to_string(i));
            written << i << ' ';
        }
        std::vector<int> expected;
        std::vector<std::string> expected_texts;
        std::vector<bool> expected_odd;
        for (const int i : numbers) {
            expected.push_back(square(i));
            expected_odd.push_back(i % 2 == 1);
        }
        for (const std::string& text : texts) { expected_texts.push_back("<" + text + ">"); }
        SharedArray<int> shared(n);
        std::ranges::copy(numbers, shared.begin());

        for (const std::size_t chunk : chunk_sizes(n)) {
            CAPTURE(n, chunk);
            const MapOptions options{.chunk_size = chunk};
            CHECK(pool.map(options, square, numbers) == expected);
            CHECK(pool.map(options, square, list) == expected);
            CHECK(pool.map(options, square, deque) == expected);
            CHECK(pool.map(options, square, forward) == expected);
            CHECK(pool.map(options, square, shared) == expected);
            CHECK(pool.map(options, square, std::span<const int>{numbers}) == expected);
            CHECK(pool.map(options, square, Generator{static_cast<int>(n)}) == expected);
            std::istringstream stream{written.str()};
            CHECK(pool.map(options, square, std::views::istream<int>(stream)) == expected);
            CHECK(pool.map(options, square, std::views::iota(0, static_cast<int>(n))) == expected);
            CHECK(pool.map(
                      options, [](const std::string& s) { return "<" + s + ">"; }, texts) == expected_texts);
            CHECK(pool.map(
                      options, [](int i) { return i % 2 == 1; }, numbers) == expected_odd);
            CHECK(pool.map(options, square, numbers | std::views::transform([](int i) { return i; })) == expected);
        }
        CHECK(pool.map(square, numbers) == expected);
        CHECK(pool.map(square, std::vector<int>(numbers)) == expected);
    }
}
ON_EVERY_ENGINE("API-05 map equals the serial loop for every range/number and chunk size", equals_the_serial_loop)

template <class P>
void random_shapes() {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    P pool{1 + random() % 4};
    for (std::size_t round = 0; round < times(200); ++round) {
        const std::vector<int> numbers = first_numbers(random() % 3000);
        const std::size_t chunk = random() % 2 == 0 ? 0 : 1 + random() % 4000;
        const auto results = pool.map(
            MapOptions{.chunk_size = chunk}, [](int n) { return std::string(static_cast<std::size_t>(n % 100), 'x'); },
            numbers);
        bool right = results.size() == numbers.size();
        for (std::size_t i = 0; right && i < results.size(); ++i) { right = results[i].size() == i % 100; }
        if (!right) { FAIL("wrong in round " << round); }
    }
}
ON_EVERY_ENGINE("API-05 random numbers of items and chunk sizes", random_shapes)

template <class P>
void items_of_any_type() {
    P pool{2};
    const std::map<std::string, std::vector<int>> map{{"a", {1, 2}}, {"b", {}}, {"c", {3}}};
    CHECK(pool.map(
              [](const std::pair<const std::string, std::vector<int>>& entry) {
                  return entry.first + std::to_string(entry.second.size());
              },
              map) == std::vector<std::string>{"a2", "b0", "c1"});
    CHECK(pool.map([](std::string s) { return s.size(); }, std::array{"one", "three"}) ==
          std::vector<std::size_t>{3, 5});
    CHECK(pool.map([](std::optional<int> i) { return i; }, std::vector<std::optional<int>>{1, std::nullopt}) ==
          std::vector<std::optional<int>>{1, std::nullopt});
    const std::vector<bool> bits{true, false, true};
    CHECK(pool.map([](bool b) { return !b; }, bits) == std::vector<bool>{false, true, false});
    const auto pointers = pool.map([](int i) { return std::make_unique<int>(i); }, std::vector<int>{4, 5});
    CHECK(*pointers[1] == 5);
    const std::string word = "word";
    CHECK(pool.map([](char c) { return static_cast<char>(c - 32); }, word) == std::vector<char>{'W', 'O', 'R', 'D'});
    struct Empty {};
    CHECK(pool.map([](Empty) { return Empty{}; }, std::vector<Empty>(3)).size() == 3);
    const int added = 5;
    CHECK(pool.map([added](int i) { return i + added; }, std::vector<int>{1, 2}) == std::vector<int>{6, 7});
}
ON_EVERY_ENGINE("API-02 items and results of many types", items_of_any_type)

template <class P>
void empty_and_single() {
    P pool{2};
    const std::vector<int> none;
    const auto start = std::chrono::steady_clock::now();
    for (const std::size_t chunk : {0, 1, 10}) {
        const MapOptions options{.chunk_size = chunk};
        CHECK(pool.map(options, square, none).empty());
        CHECK(pool.map(
                      options, [](int i) { return std::to_string(i); }, std::list<int>{})
                  .empty());
        CHECK(pool.map(options, square, Generator{0}).empty());
        pool.for_each(options, square, none);
        SharedArray<int> nothing(0);
        pool.for_each(
            options, [](int& x) { ++x; }, nothing);
        std::vector<int> output;
        pool.map_into(options, square, none, output);
        CHECK(pool.map(options, square, std::vector<int>{3}) == std::vector<int>{9});
    }
    CHECK(pool.stats().submitted == 3);
    CHECK(since(start) < wait_limit / 2);
    pool.close();
    CHECK(pool.join_for(wait_limit));
}
ON_EVERY_ENGINE("API-07 nothing and one item never stall", empty_and_single)

template <class P>
void huge_chunk_sizes() {
    P pool{2};
    CHECK(pool.map(MapOptions{.chunk_size = SIZE_MAX}, square, first_numbers(100)).at(99) == 9801);
    CHECK(pool.map(
                  MapOptions{.chunk_size = SIZE_MAX}, [](int i) { return std::to_string(i); }, first_numbers(100))
              .at(99) == "99");
    CHECK(pool.map(MapOptions{.chunk_size = SIZE_MAX}, square, Generator{10}).at(9) == 81);
    CHECK(pool.map(MapOptions{.chunk_size = SIZE_MAX / 2}, square, Generator{10}).at(9) == 81);
}
ON_EVERY_ENGINE("API-06 a chunk size beyond reason is one chunk", huge_chunk_sizes)

template <class P>
void order_is_kept() {
    for (const std::size_t workers : {1, 2, 4, 8}) {
        P pool{workers};
        for (const std::size_t chunk : {0, 1, 3}) {
            const auto results = pool.map(
                MapOptions{.chunk_size = chunk},
                [](int i) {
                    std::this_thread::sleep_for(std::chrono::microseconds{(64 - i) * 20});
                    return i;
                },
                first_numbers(64));
            CHECK(results == first_numbers(64));
        }
    }
}
ON_EVERY_ENGINE("ORD-01 results are in input order whatever finishes first", order_is_kept)

template <class P>
void large_maps() {
    P pool{2};
    const std::size_t n = times(1000000);
    const std::vector<int> numbers = first_numbers(n);
    const auto negated = pool.map([](int i) { return -i; }, numbers);
    bool right = negated.size() == n;
    for (std::size_t i = 0; right && i < n; ++i) { right = negated[i] == -numbers[i]; }
    CHECK(right);
    const auto texts =
        pool.map([](int i) { return std::string(10000, static_cast<char>('a' + i % 26)); }, first_numbers(times(5000)));
    right = texts.size() == times(5000);
    for (std::size_t i = 0; right && i < texts.size(); ++i) {
        right = texts[i] == std::string(10000, static_cast<char>('a' + i % 26));
    }
    CHECK(right);
}
ON_EVERY_ENGINE("SML-01 a map over a million items and one with 50 MB of results", large_maps)

TEST_CASE("a map uses all workers") {
    SharedPage page;
    const Meeting all_here{page, 4};
    Pool pool{4};
    const auto pids = pool.map(MapOptions{.chunk_size = 1}, snapshot([all_here](int) {
                                   all_here.arrive_and_wait();
                                   return ::getpid();
                               }),
                               first_numbers(4));
    CHECK(std::set<pid_t>(pids.begin(), pids.end()).size() == 4);
}

TEST_CASE("a map with chunks of the pool's choice uses all workers too") {
    SharedPage page;
    const Meeting all_here{page, 4};
    Pool pool{4};
    const auto pids = pool.map(snapshot([all_here](int) {
                                   all_here.arrive_and_wait();
                                   return ::getpid();
                               }),
                               first_numbers(16));
    CHECK(std::set<pid_t>(pids.begin(), pids.end()).size() == 4);
}

template <class P>
void many_maps_at_once() {
    P pool{2};
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int round = 0; round < 20; ++round) {
                const auto results = pool.map([t](int i) { return i + t; }, first_numbers(500));
                right += results.size() == 500 && results[499] == 499 + t;
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(right == 80);
}
ON_EVERY_ENGINE("four threads map on one pool", many_maps_at_once)

// ---- for_each

template <class P>
void for_each_sees_every_item_once() {
    SharedPage page;
    const Counter sum{page};
    P pool{2};
    for (const std::size_t chunk : {0, 1, 7, 2000}) {
        pool.for_each(MapOptions{.chunk_size = chunk}, snapshot([sum](int i) { sum.add(i); }), first_numbers(1000));
        pool.for_each(MapOptions{.chunk_size = chunk},
                      snapshot([sum](const std::string& s) { sum.add(static_cast<int>(s.size())); }),
                      std::vector<std::string>(100, "abc"));
        pool.for_each(MapOptions{.chunk_size = chunk}, snapshot([sum](int i) { sum.add(i); }), Generator{10});
    }
    CHECK(sum.value() == 4 * (499500 + 300 + 45));
}
ON_EVERY_ENGINE("for_each sees every item once", for_each_sees_every_item_once)

template <class P>
void changes_in_place() {
    P pool{3};
    for (const std::size_t n : {std::size_t{1}, std::size_t{2}, std::size_t{100}, std::size_t{100000}}) {
        SharedArray<std::int64_t> array(n);
        std::iota(array.begin(), array.end(), 0);
        for (const std::size_t chunk : {std::size_t{0}, std::size_t{1000}, n, n + 1}) {
            pool.for_each(
                MapOptions{.chunk_size = chunk}, [](std::int64_t& x) { x = 2 * x + 1; }, array);
        }
        bool right = true;
        for (std::size_t i = 0; right && i < n; ++i) { right = array[i] == 16 * static_cast<std::int64_t>(i) + 15; }
        CHECK(right);
        pool.for_each([](std::int64_t& x) { x = 0; }, array.span().subspan(n / 2));
        CHECK(std::count(array.begin(), array.end(), 0) >= static_cast<std::ptrdiff_t>(n - n / 2));
        if (n > 1) { CHECK(array[0] == 15); }
    }
}
ON_EVERY_ENGINE("for_each changes a SharedArray and a span of it in place", changes_in_place)

TEST_CASE("for_each in place on memory of the parent alone is refused and changes nothing") {
    Pool pool{2};
    std::vector<int> mine(100, 1);
    CHECK_THROWS_AS(pool.for_each([](int& x) { ++x; }, mine), CodecError);
    CHECK(mine == std::vector<int>(100, 1));
    CHECK(pool.stats().submitted == 0);
    SharedArray<int> array(10);
    const std::span<int> beyond{array.data() + 5, 5};
    pool.for_each([](int& x) { ++x; }, beyond);
    CHECK(array[4] == 0);
    CHECK(array[5] == 1);
}

// ---- map_into

template <class P>
void maps_into() {
    P pool{2};
    for (const std::size_t n : {std::size_t{1}, std::size_t{100}, std::size_t{10000}}) {
        const std::vector<int> numbers = first_numbers(n);
        SharedArray<int> shared_in(n);
        SharedArray<int> shared_out(n);
        std::ranges::copy(numbers, shared_in.begin());
        for (const std::size_t chunk : {std::size_t{0}, std::size_t{17}, n + 1}) {
            const MapOptions options{.chunk_size = chunk};
            std::vector<int> output(n, -1);
            pool.map_into(options, square, numbers, output);
            CHECK(std::ranges::equal(output, numbers, {}, {}, square));
            std::ranges::fill(output, -1);
            pool.map_into(options, square, shared_in, output);
            CHECK(std::ranges::equal(output, numbers, {}, {}, square));
            pool.map_into(options, square, numbers, shared_out);
            CHECK(std::ranges::equal(shared_out, numbers, {}, {}, square));
            pool.map_into(
                options, [](int i) { return i + 1; }, shared_in, shared_out);
            CHECK(std::ranges::equal(shared_out, numbers, {}, {}, [](int i) { return i + 1; }));
            std::vector<double> doubles(n);
            pool.map_into(options, square, numbers, doubles);
            CHECK(std::ranges::equal(doubles, numbers, {}, {}, square));
            std::vector<std::string> texts(n);
            pool.map_into(
                options, [](int i) { return std::to_string(i); }, numbers, texts);
            CHECK(texts.back() == std::to_string(n - 1));
            std::ranges::fill(output, -1);
            pool.map_into(options, square, Generator{static_cast<int>(n)}, output);
            CHECK(std::ranges::equal(output, numbers, {}, {}, square));
        }
    }
}
ON_EVERY_ENGINE("map_into fills vectors/spans and shared arrays", maps_into)

template <class P>
void map_into_checks_sizes() {
    P pool{2};
    const std::vector<int> ten = first_numbers(10);
    std::vector<int> nine(9, -1);
    std::vector<int> eleven(11, -1);
    SharedArray<int> shared(9);
    CHECK_THROWS_AS(pool.map_into(square, ten, nine), std::invalid_argument);
    CHECK_THROWS_AS(pool.map_into(square, ten, eleven), std::invalid_argument);
    CHECK_THROWS_AS(pool.map_into(square, ten, shared), std::invalid_argument);
    CHECK(nine == std::vector<int>(9, -1));
    CHECK(eleven == std::vector<int>(11, -1));
    CHECK(pool.stats().submitted == 0);
    // Only the end shows that a generator has too many items, or too few.
    CHECK_THROWS_AS(pool.map_into(square, Generator{10}, nine), std::invalid_argument);
    CHECK_THROWS_AS(pool.map_into(square, Generator{10}, eleven), std::invalid_argument);
    CHECK(pool.apply(square, 3) == 9);
}
ON_EVERY_ENGINE("map_into refuses outputs of another size", map_into_checks_sizes)

template <class P>
void no_further_than_the_output() {
    P pool{2};
    for (const std::size_t chunk : {0, 1, 7}) {
        for (const OnError on_error : {OnError::fail_fast, OnError::wait_all}) {
            CAPTURE(chunk);
            std::vector<int> memory(20000, -1);
            const std::span<int> output = std::span{memory}.subspan(100, 10);
            CHECK_THROWS_AS(
                pool.map_into(MapOptions{.chunk_size = chunk, .on_error = on_error}, square, Generator{10000}, output),
                std::invalid_argument);
            std::ranges::fill(output, -1);
            CHECK(memory == std::vector<int>(20000, -1));
        }
    }
}
ON_EVERY_ENGINE("map_into writes nothing behind an output that is much too small for its input",
                no_further_than_the_output)

// ---- errors

template <class P>
void lowest_error() {
    P pool{3};
    for (const std::size_t chunk : {0, 1, 7, 100}) {
        CAPTURE(chunk);
        const MapOptions options{.chunk_size = chunk};
        const auto text_of = [](auto call) -> std::string {
            try {
                call();
            } catch (const std::out_of_range& error) { return error.what(); }
            return "nothing";
        };
        // A failure is reported as it is.
        CHECK(text_of([&] {
                  pool.map(
                      options, [](int i) { return i == 50 ? throw std::out_of_range(std::to_string(i)) : i; },
                      first_numbers(100));
              }) == "50");
        CHECK(text_of([&] {
                  pool.map(
                      options,
                      [](int i) { return i == 50 ? throw std::out_of_range(std::to_string(i)) : std::to_string(i); },
                      first_numbers(100));
              }) == "50");
        CHECK(text_of([&] {
                  pool.for_each(
                      options,
                      [](int i) {
                          if (i == 99) { throw std::out_of_range("99"); }
                      },
                      first_numbers(100));
              }) == "99");
        // Where all fail, items that have not started when the first failure is known are spared.
        CHECK(text_of([&] {
                  pool.map(
                      options, [](int i) -> int { throw std::out_of_range(std::to_string(i)); }, Generator{100});
              }) != "nothing");
    }
    CHECK(pool.apply(square, 3) == 9);
}
ON_EVERY_ENGINE("a map throws the error of the lowest item known", lowest_error)

TEST_CASE("a map throws the lowest of the errors of items that ran at once") {
    SharedPage page;
    const Meeting all_here{page, 4};
    Pool pool{4};
    try {
        pool.map(MapOptions{.chunk_size = 1}, snapshot([all_here](int i) -> int {
                     all_here.arrive_and_wait();
                     if (i < 2) { std::this_thread::sleep_for(20ms); }  // so that higher ones are known first
                     throw std::out_of_range(std::to_string(i));
                 }),
                 first_numbers(4));
        CHECK(false);
    } catch (const std::out_of_range& error) { CHECK(std::string{error.what()} == "0"); }
}

template <class P>
void nothing_runs_after_a_failure() {
    SharedPage page;
    const Counter running{page};
    const Counter ran{page};
    P pool{3};
    for (const std::size_t chunk : {0, 1, 10}) {
        for (int round = 0; round < 10; ++round) {
            CHECK_THROWS_AS(pool.map(MapOptions{.chunk_size = chunk}, snapshot([running, ran](int i) {
                                         running.add();
                                         if (i == 20) {
                                             running.add(-1);
                                             throw std::out_of_range("no");
                                         }
                                         std::this_thread::sleep_for(200us);
                                         ran.add();
                                         running.add(-1);
                                         return i;
                                     }),
                                     first_numbers(2000)),
                            std::out_of_range);
            const auto now = ran.value();
            CHECK(running.value() == 0);
            CHECK(now < (round + 1 + 10 * (chunk == 0 ? 0 : chunk == 1 ? 1 : 2)) * 2000);
            std::this_thread::sleep_for(2ms);
            CHECK(ran.value() == now);
        }
    }
    CHECK(ran.value() < 30 * 1000);  // most of the items were spared
}
ON_EVERY_ENGINE("after a map has failed nothing of it runs any more", nothing_runs_after_a_failure)

template <class P>
void throwing_ranges() {
    P pool{2};
    for (int round = 0; round < 2; ++round) {
        for (const int bad : {0, 3, 7}) {
            for (const std::size_t chunk : {0, 1, 2, 4}) {
                CAPTURE(bad, chunk);
                const MapOptions options{.chunk_size = chunk};
                const auto text_of = [](auto call) -> std::string {
                    try {
                        call();
                    } catch (const std::domain_error& error) { return error.what(); }
                    return "nothing";
                };
                const std::string expected = "bad item " + std::to_string(bad);
                CHECK(text_of([&] { pool.map(options, square, Generator{10, bad}); }) == expected);
                CHECK(text_of([&] { pool.for_each(options, square, Generator{10, bad}); }) == expected);
                CHECK(text_of([&] {
                          pool.map(
                              options, [](int i) { return std::to_string(i); }, Generator{10, bad});
                      }) == expected);
            }
        }
        CHECK(pool.map(square, Generator{10}).at(9) == 81);
    }
}
ON_EVERY_ENGINE("EXC-09 what the caller's range throws comes out and the pool goes on", throwing_ranges)

template <class P>
void throwing_range_leaves_nothing_running() {
    SharedPage page;
    const Counter running{page};
    P pool{2};
    for (int round = 0; round < 20; ++round) {
        CHECK_THROWS_AS(pool.for_each(MapOptions{.chunk_size = 1}, snapshot([running](int) {
                                          running.add();
                                          std::this_thread::sleep_for(1ms);
                                          running.add(-1);
                                      }),
                                      Generator{10, 7}),
                        std::domain_error);
        CHECK(running.value() == 0);
    }
}
ON_EVERY_ENGINE("EXC-09 when the range has thrown nothing of the call runs any more",
                throwing_range_leaves_nothing_running)

template <class P>
void cancelled_thrown_by_a_task() {
    P pool{2};
    CHECK_THROWS_AS(pool.map([](int) -> int { throw TaskCancelled{}; }, first_numbers(10)), TaskCancelled);
    CHECK_THROWS_AS(pool.map([](int) -> int { throw PoolTerminated{}; }, first_numbers(10)), PoolTerminated);
}
ON_EVERY_ENGINE("a task that throws procpool's own errors is a task that throws", cancelled_thrown_by_a_task)

TEST_CASE("DTH-02 a death among items that take next to nothing costs no more than 64 of them") {
    Pool pool{2};
    constexpr std::size_t chunk = 100'000;
    for (const std::size_t bad : {std::size_t{0}, std::size_t{1}, std::size_t{77'777}, chunk - 1}) {
        const SharedArray<int> array{chunk};
        std::size_t costs_from = SIZE_MAX;
        try {
            pool.for_each(
                MapOptions{.chunk_size = chunk},
                [first = array.data(), bad](int& x) {
                    if (static_cast<std::size_t>(&x - first) == bad) { ::raise(SIGKILL); }
                    ++x;
                },
                array);
        } catch (const WorkerDied& death) { costs_from = death.item().value(); }
        CAPTURE(bad, costs_from);
        CHECK(costs_from <= bad);
        CHECK(bad - costs_from < 64);
        CHECK(
            std::all_of(array.begin(), array.begin() + static_cast<std::ptrdiff_t>(bad), [](int x) { return x == 1; }));
    }
    const auto outcomes = pool.map_outcomes(
        MapOptions{.chunk_size = chunk}, [](int i) { return i == 5000 ? ::raise(SIGKILL) : i; }, first_numbers(10'000));
    CHECK(std::ranges::count_if(outcomes, [](const auto& one) { return !one.has_value(); }) == 1);
    const auto retried = pool.map(
        MapOptions{.chunk_size = chunk, .retries = 1},
        [](int i) { return i == 5000 && this_task::attempt() == 0 ? ::raise(SIGKILL) : i; }, first_numbers(10'000));
    CHECK(retried == first_numbers(10'000));
}

TEST_CASE("DTH-02 a death among items of a microsecond costs that item alone") {
    Pool pool{1};
    constexpr int chunk = 20'000;
    for (const int bad : {1, 7777, chunk - 1}) {
        std::optional<std::size_t> costs;
        try {
            pool.for_each(
                MapOptions{.chunk_size = chunk},
                [bad](int i) {
                    if (i == bad) { ::raise(SIGKILL); }
                    for (int spin = 0; spin < 3000; ++spin) { asm volatile(""); }  // a microsecond or so
                },
                first_numbers(chunk));
        } catch (const WorkerDied& death) { costs = death.item(); }
        CHECK(costs == bad);
    }
}

TEST_CASE("DTH-02 a map whose item kills its worker throws WorkerDied and leaves nothing running") {
    SharedPage page;
    const Counter running{page};
    Pool pool{2};
    for (const std::size_t chunk : {0, 1, 10}) {
        CHECK_THROWS_AS(pool.map(MapOptions{.chunk_size = chunk}, snapshot([running](int i) {
                                     if (i == 30) { ::raise(SIGKILL); }
                                     running.add();
                                     std::this_thread::sleep_for(100us);
                                     running.add(-1);
                                     return i;
                                 }),
                                 first_numbers(200)),
                        WorkerDied);
        CHECK(running.value() == 0);
        CHECK(pool.map(square, first_numbers(100)).at(99) == 9801);
    }
}

TEST_CASE("map and its relatives refuse captured references also when there are no items") {
    Pool pool{2};
    int local = 1;
    const auto add = [&local](int i) { return i + local; };
    const std::vector<int> none;
    CHECK_THROWS_AS(pool.map(add, none), CodecError);
    CHECK_THROWS_AS(pool.map_outcomes(add, none), CodecError);
    CHECK_THROWS_AS(pool.map_reduce(
                        add, [](int a, int b) { return a + b; }, 0, none),
                    CodecError);
    CHECK_THROWS_AS(pool.map_reduce(
                        square, [&local](int a, int b) { return a + b + local; }, 0, none),
                    CodecError);
}

}  // namespace

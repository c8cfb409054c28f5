// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/reduce.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace procpool_test;

namespace {

std::vector<double> doubles(std::size_t n) {
    std::vector<double> all(n);
    for (std::size_t i = 0; i < n; ++i) {
        all[i] = std::sin(static_cast<double>(i)) * std::pow(10.0, static_cast<double>(i % 17));
    }
    return all;
}

double scaled(double x) { return x * 1.1; }

/// The definition in api.md, in one thread.
template <class F, class G, class T, class Range>
T reduce_here(F f, G g, T init, const Range& range) {
    std::size_t in_block = 0;
    std::optional<T> block;
    for (const auto& item : range) {
        if (!block) {
            block.emplace(f(item));
        } else {
            block.emplace(g(std::move(*block), f(item)));
        }
        if (++in_block == 256) {
            init = g(std::move(init), std::move(*block));
            block.reset();
            in_block = 0;
        }
    }
    if (block) { init = g(std::move(init), std::move(*block)); }
    return init;
}

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

template <class P>
void same_bits_for_all() {
    for (const std::size_t workers : {1, 2, 3, 4}) {
        P pool{workers};
        for (const std::size_t n : {0, 1, 2, 255, 256, 257, 512, 1000, under_sanitizer ? 5001 : 20001}) {
            const std::vector<double> all = doubles(n);
            const double expected = reduce_here(scaled, std::plus<>{}, 0.1, all);
            SharedArray<double> shared(n);
            std::ranges::copy(all, shared.begin());
            for (const std::size_t chunk : {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{256},
                                            std::size_t{257}, std::size_t{5000}, SIZE_MAX}) {
                CAPTURE(workers, n, chunk);
                const MapOptions options{.chunk_size = chunk};
                CHECK(same_bits(pool.map_reduce(options, scaled, std::plus<>{}, 0.1, all), expected));
                CHECK(same_bits(pool.map_reduce(options, scaled, std::plus<>{}, 0.1, shared), expected));
                CHECK(same_bits(pool.map_reduce(options, scaled, std::plus<>{}, 0.1,
                                                all | std::views::transform([](double x) { return x; })),
                                expected));
            }
            CHECK(same_bits(pool.map_reduce(scaled, std::plus<>{}, 0.1, all), expected));
        }
    }
}
ON_EVERY_ENGINE("map_reduce gives the same bits for any number of workers and chunk size", same_bits_for_all)

template <class P>
void in_order() {
    P pool{3};
    const auto text = [](int i) { return std::to_string(i) + " "; };
    const auto join = [](std::string a, const std::string& b) { return a + b; };
    for (const std::size_t n : {0, 1, 300, 2000}) {
        const std::string expected = reduce_here(text, join, std::string{"> "}, first_numbers(n));
        for (const std::size_t chunk : {0, 1, 1000}) {
            const MapOptions options{.chunk_size = chunk};
            CHECK(pool.map_reduce(options, text, join, std::string{"> "}, first_numbers(n)) == expected);
            CHECK(pool.map_reduce(options, text, join, std::string{"> "}, Generator{static_cast<int>(n)}) == expected);
        }
    }
    // The sum is of another type than what is mapped to.
    CHECK(pool.map_reduce([](int i) { return i; }, [](long a, long b) { return a + b; }, 0L, first_numbers(1000)) ==
          499500);
    CHECK(pool.map_reduce([](int i) { return std::make_unique<int>(i); },
                          [](std::unique_ptr<int> a, std::unique_ptr<int> b) { return std::make_unique<int>(*a + *b); },
                          std::make_unique<int>(1), first_numbers(600)) != nullptr);
    const auto longest = [](std::string a, std::string b) { return a.size() >= b.size() ? a : b; };
    CHECK(pool.map_reduce([](std::string s) { return s; }, longest, std::string{},
                          std::vector{"one", "three", "five"}) == "three");
    const int offset = 3;
    CHECK(pool.map_reduce([offset](int i) { return i + offset; },
                          [offset](int a, int b) { return std::max(a, b) + 0 * offset; }, 0,
                          first_numbers(300)) == 302);
}
ON_EVERY_ENGINE("map_reduce folds from left to right whatever finishes first", in_order)

template <class P>
void slow_items_of_one_block() {
    constexpr std::int64_t workers = 3;
    SharedPage page;
    const Counter begun{page};
    P pool{workers};
    for (const std::size_t n : {2, 3, 10, 100, 300}) {
        for (const MapOptions& options : {MapOptions{}, MapOptions{.chunk_size = 1}}) {
            CAPTURE(n, options.chunk_size);
            const auto together = [&] {  // as many run at a time as there are workers
                return snapshot([begun, enough = begun.value() +
                                                 std::min<std::int64_t>(workers, static_cast<std::int64_t>(n))](int i) {
                    begun.add();
                    begun.wait_for(enough);
                    return i;
                });
            };
            const int expected = static_cast<int>(n * (n - 1) / 2);
            CHECK(pool.map_reduce(options, together(), std::plus<>{}, 0, first_numbers(n)) == expected);
            CHECK(pool.map_reduce(options, together(), std::plus<>{}, 0, Generator{static_cast<int>(n)}) == expected);
        }
    }
}
ON_ENGINES_WITH_WORKERS("map_reduce spreads slow items over the workers - few as they may be", slow_items_of_one_block)

template <class P>
void slow_items_in_order() {
    P pool{3};
    const auto text = [](int i) {
        std::this_thread::sleep_for(std::chrono::microseconds{i * 37 % 5 * 20});
        return std::to_string(i) + " ";
    };
    const auto join = [](std::string a, const std::string& b) { return a + b; };
    const auto folded_slowly = [](std::string a, const std::string& b) {
        std::this_thread::sleep_for(100us);
        return a + b;
    };
    for (const std::size_t n : {1, 40, 256, 700}) {
        CAPTURE(n);
        const std::string expected =
            reduce_here([](int i) { return std::to_string(i) + " "; }, join, std::string{"> "}, first_numbers(n));
        for (const std::size_t chunk : {0, 3, 100}) {
            CAPTURE(chunk);
            CHECK(pool.map_reduce(MapOptions{.chunk_size = chunk}, text, join, std::string{"> "}, first_numbers(n)) ==
                  expected);
            CHECK(pool.map_reduce(MapOptions{.chunk_size = chunk}, text, join, std::string{"> "},
                                  Generator{static_cast<int>(n)}) == expected);
        }
        CHECK(pool.map_reduce(text, folded_slowly, std::string{"> "}, first_numbers(n)) == expected);
    }
    // The mapped type need not be the folded type, nor be stored in a vector as itself.
    CHECK(pool.map_reduce(
              MapOptions{.chunk_size = 3}, [](int i) { return i % 2 == 0; },
              [](int a, bool b) { return a * 2 % 1001 + (b ? 1 : 0); }, 0, first_numbers(20)) ==
          pool.map_reduce(
              MapOptions{.chunk_size = 256}, [](int i) { return i % 2 == 0; },
              [](int a, bool b) { return a * 2 % 1001 + (b ? 1 : 0); }, 0, first_numbers(20)));
}
ON_ENGINES_WITH_WORKERS("map_reduce folds slow items from left to right whatever finishes first", slow_items_in_order)

template <class P>
void reduce_errors() {
    P pool{2};
    const auto add = [](int a, int b) { return a + b; };
    for (const OnError on_error : {OnError::fail_fast, OnError::wait_all}) {
        for (const std::size_t chunk : {0, 1, 100, 5000}) {
            const MapOptions options{.chunk_size = chunk, .on_error = on_error};
            CHECK_THROWS_AS(pool.map_reduce(
                                options, [](int i) { return i == 700 ? throw std::out_of_range("700") : i; }, add, 0,
                                first_numbers(2000)),
                            std::out_of_range);
            CHECK_THROWS_AS(
                pool.map_reduce(
                    options, square, [](int, int b) { return b == 49 ? throw std::out_of_range("in the worker") : 1; },
                    0, first_numbers(2000)),
                std::out_of_range);
            CHECK_THROWS_AS(pool.map_reduce(
                                options, square,
                                [](int a, int b) { return a == -1 ? throw std::out_of_range("in the parent") : a + b; },
                                -1, first_numbers(20)),
                            std::out_of_range);
            CHECK_THROWS_AS(pool.map_reduce(options, square, add, 0, Generator{1000, 600}), std::domain_error);
        }
    }
    CHECK(pool.map_reduce(square, add, 0, first_numbers(4)) == 14);
}
ON_EVERY_ENGINE("map_reduce throws what its functions throw", reduce_errors)

TEST_CASE(
    "wait_all: a block of map_reduce whose result cannot be folded is the error - though a later one has failed "
    "before") {
    SharedPage page;
    const Gate known{page};  // that the second block has failed
    Pool pool{2};
    const MapOptions options{.chunk_size = 256, .on_error = OnError::wait_all, .progress = [&](const Progress& now) {
                                 if (now.done >= 256) { known.set(); }
                             }};
    CHECK_THROWS_WITH(pool.map_reduce(
                          options, snapshot([known](int i) {
                              if (i == 0) { known.wait(); }
                              return i == 300 ? throw std::out_of_range("300") : i;
                          }),
                          [](int a, int b) { return a == -1 ? throw std::out_of_range("in the parent") : a + b; }, -1,
                          first_numbers(512)),
                      "in the parent");
}

TEST_CASE("map_reduce with recycled workers: what was folded of a block goes on in the next worker") {
    const std::vector<double> all = doubles(5001);
    const double expected = reduce_here(scaled, std::plus<>{}, 0.1, all);
    for (const std::size_t limit : {1, 100, 256, 1000}) {
        Pool pool{{.workers = 2, .max_tasks_per_worker = limit}};
        for (const std::size_t chunk : {0, 1, 1000}) {
            CAPTURE(limit, chunk);
            if (limit == 1 && chunk != 0) { continue; }  // a process for each item
            const std::size_t n = limit == 1 ? 300 : all.size();
            const std::span<const double> some{all.data(), n};
            CHECK(same_bits(pool.map_reduce(MapOptions{.chunk_size = chunk}, scaled, std::plus<>{}, 0.1, some),
                            n == all.size() ? expected : reduce_here(scaled, std::plus<>{}, 0.1, some)));
        }
    }
}

TEST_CASE("map_reduce with workers that die: retried or WorkerDied") {
    Pool pool{2};
    const std::vector<int> all = first_numbers(3000);
    const auto dies = [](int i) {
        if ((i == 0 || i == 300 || i == 310 || i == 2999) && this_task::attempt() == 0) { ::raise(SIGKILL); }
        return i;
    };
    for (const std::size_t chunk : {0, 1, 3000}) {
        CAPTURE(chunk);
        CHECK_THROWS_AS(pool.map_reduce(
                            MapOptions{.chunk_size = chunk}, [](int i) { return i == 300 ? ::raise(SIGKILL) : i; },
                            std::plus<>{}, 0, all),
                        WorkerDied);
        CHECK_THROWS_AS(pool.map_reduce(
                            MapOptions{.chunk_size = chunk, .timeout = 50ms},
                            [](int i) {
                                if (i == 300) { std::this_thread::sleep_for(20s); }
                                return i;
                            },
                            std::plus<>{}, 0, all),
                        TaskTimedOut);
        static_cast<void>(dies);
    }
    SharedPage page;
    const Counter tenth{page};
    const Counter two_hundredth{page};
    Pool fresh{2};
    std::int64_t rounds = 0;
    for (const std::size_t chunk : {0, 1, 50, 3000}) {
        CAPTURE(chunk);
        const int sum = fresh.map_reduce(
            MapOptions{.chunk_size = chunk, .retries = 1}, snapshot([tenth, two_hundredth, rounds](int i) {
                // Each dies the first time it is met, and no more.
                for (const auto& [item, deaths] : {std::pair{10, tenth}, std::pair{200, two_hundredth}}) {
                    if (i == item && deaths.value() == rounds) {
                        deaths.add();
                        ::raise(SIGKILL);
                    }
                }
                return i;
            }),
            std::plus<>{}, 0, first_numbers(256));
        CHECK(sum == 256 * 255 / 2);
        ++rounds;
        CHECK(tenth.value() == rounds);
        CHECK(two_hundredth.value() == rounds);
    }
}

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/driver.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <ranges>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

constexpr int hanging = 20;  // the item that never ends, of 40

int hang() {
    for (;;) { ::pause(); }
}
int hangs_once(int i) { return i == hanging ? hang() : i; }

/// Calls attempt(total) with more and more time, until it returns true: the machine may be busy. Returns: whether it
/// did.
template <class Attempt>
bool with_enough_time(Attempt attempt) {
    for (std::chrono::milliseconds total = 50ms; total < wait_limit; total *= 3) {
        if (attempt(total)) { return true; }
    }
    return false;
}

void sleep_past(std::chrono::steady_clock::time_point time) { std::this_thread::sleep_until(time + 1ms); }

/// Item by item: '.' a value that is its index, T the total timeout, o another timeout, W a death, ? anything else.
template <class Outcomes>
std::string fates_of(const Outcomes& outcomes, std::chrono::nanoseconds total) {
    std::string text;
    for (const auto& outcome : outcomes) {
        try {
            text += outcome.value() == static_cast<int>(text.size()) ? '.' : '!';
        } catch (const TaskTimedOut& late) { text += late.limit() == total ? 'T' : 'o'; } catch (const WorkerDied&) {
            text += 'W';
        } catch (...) { text += '?'; }
    }
    return text;
}

/// As fates_of(), of a range of Indexed outcomes that gives each item once.
template <class Range>
std::string fates_by_index(Range&& range, std::chrono::nanoseconds total) {
    std::map<std::size_t, Outcome<int>> found;
    for (auto& [index, outcome] : range) {
        if (!found.try_emplace(index, outcome).second) { return "twice: " + std::to_string(index); }
    }
    if (!found.empty() && found.rbegin()->first != found.size() - 1) { return "not all"; }
    return fates_of(found | std::views::values, total);
}

constexpr int throwing_ways = 10;

/// Calls f for 0 … n-1 in one of the ways that throw the error of an item.
template <class P, class F>
void call_in_way(P& pool, int way, const MapOptions& options, F f, std::size_t n) {
    const std::vector<int> items = first_numbers(n);
    const auto tuples = items | std::views::transform([](int i) { return std::tuple{i}; });
    std::vector<int> results(n);
    switch (way) {
        case 0: pool.map(options, f, items); break;
        case 1: pool.starmap(options, f, tuples); break;
        case 2: pool.for_each(options, f, Generator{static_cast<int>(n)}); break;
        case 3: pool.map_into(options, f, items, results); break;
        case 4: pool.map_reduce(options, f, std::plus<>{}, 0, items); break;
        case 5: get_soon(pool.map_async(options, f, items)); break;
        case 6: get_soon(pool.starmap_async(options, f, tuples)); break;
        case 7: get_soon(pool.for_each_async(options, f, items)); break;
        case 8:
            for (const int i : pool.imap(options, f, items)) { static_cast<void>(i); }
            break;
        default:
            for (const auto& one : pool.imap_unordered(options, f, items)) { static_cast<void>(one.value); }
    }
}

TEST_CASE("total_timeout ends every call over many items in which one hangs") {
    Pool pool{2};
    for (int way = 0; way < throwing_ways; ++way) {
        for (const std::size_t chunk : {0, 1, 7, 100}) {
            CAPTURE(way, chunk);
            const MapOptions options{.chunk_size = chunk, .label = "mine", .total_timeout = 40ms};
            const auto start = std::chrono::steady_clock::now();
            try {
                call_in_way(pool, way, options, hangs_once, 40);
                FAIL("it returned");
            } catch (const TaskTimedOut& late) {
                CHECK(late.limit() == 40ms);
                CHECK_THAT(late.what(), Catch::ContainsSubstring("mine, item "));
            }
            CHECK(since(start) >= 40ms);
            CHECK(since(start) < wait_limit);
        }
    }
    CHECK(pool.map(square, first_numbers(10)).size() == 10);
    CHECK(pool.stats().failed == 0);
}

TEST_CASE("total_timeout: items that have ended keep their values") {
    for (const std::size_t workers : {1, 2}) {
        Pool pool{workers};
        for (const std::size_t chunk : {1, 8, 100}) {
            CAPTURE(workers, chunk);
            // The others of its chunk begin after the item that hangs; with one worker all others do.
            const std::size_t end = workers == 1 || chunk == 100 ? 40 : chunk == 1 ? hanging + 1 : 24;
            std::string expected(40, '.');
            std::fill(expected.begin() + hanging, expected.begin() + static_cast<std::ptrdiff_t>(end), 'T');
            std::string of_map;
            std::string of_imap;
            CHECK(with_enough_time([&](auto total) {
                const MapOptions options{.chunk_size = chunk, .total_timeout = total};
                of_map = fates_of(pool.map_outcomes(options, hangs_once, first_numbers(40)), total);
                return of_map == expected;
            }));
            CHECK(of_map == expected);
            CHECK(with_enough_time([&](auto total) {
                const MapOptions options{.chunk_size = chunk, .window = 100, .total_timeout = total};
                of_imap = fates_by_index(pool.imap_outcomes(options, hangs_once, first_numbers(40)), total);
                return of_imap == expected;
            }));
            CHECK(of_imap == expected);
        }
    }
}

TEST_CASE("total_timeout: all workers hang and what has not started ends too") {
    SharedPage page;
    const Counter started{page};
    Pool pool{2};
    const auto f = snapshot([started](int) {
        started.add();
        return hang();
    });
    for (const std::size_t chunk : {0, 1, 7, 1000}) {
        CAPTURE(chunk);
        const MapOptions options{.chunk_size = chunk, .retries = 3, .total_timeout = 30ms};
        const auto outcomes = pool.map_outcomes(options, f, first_numbers(300));
        CHECK(fates_of(outcomes, 30ms) == std::string(300, 'T'));
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            try {
                static_cast<void>(outcomes[i].value());
            } catch (const std::exception& error) {
                REQUIRE(std::string{error.what()}.find("item " + std::to_string(i) + "'") != std::string::npos);
            }
        }
        CHECK(fates_by_index(pool.imap_outcomes(options, f, first_numbers(300)), 30ms) == std::string(300, 'T'));
        CHECK_THROWS_WITH(pool.map(options, f, first_numbers(300)), Catch::ContainsSubstring("item 0"));
    }
    CHECK(started.value() <= 2 * 3 * 4);  // nothing is retried
    CHECK(pool.apply(same, 3) == 3);
    CHECK(pool.stats().retried == 0);
}

template <class P>
void no_room_in_time() {
    SharedPage page;
    const Gate may_end{page};
    const Counter running{page};
    P pool{{.workers = 2, .queue_capacity = 2}};
    const auto wait = snapshot([=] {
        running.add();
        may_end.wait();
    });
    const MapOptions options{.total_timeout = 30ms};
    std::vector<Future<void>> others;
    for (int i = 0; i < 2; ++i) { others.push_back(pool.apply_async(wait)); }
    running.wait_for(2);
    const std::uint64_t before = pool.stats().submitted;
    for (int way = 0; way < throwing_ways; ++way) {
        CAPTURE(way);
        CHECK_THROWS_AS(call_in_way(pool, way, options, same, 10), TaskTimedOut);
    }
    CHECK(fates_of(pool.map_outcomes(options, same, first_numbers(10)), 30ms) == std::string(10, 'T'));
    CHECK(pool.stats().submitted == before);
    may_end.set();
    wait_all(others);
    CHECK(pool.map(MapOptions{.total_timeout = 1h}, same, first_numbers(10)) == first_numbers(10));
}
ON_ENGINES_WITH_WORKERS("total_timeout holds where a call waits for room in the queue", no_room_in_time)

TEST_CASE("total_timeout: a task that fills its pool's queue makes room for its own call", "[thread]") {
    ThreadPool pool{{.workers = 1, .queue_capacity = 2}};
    const int last = pool.apply(
        [](ThreadPool* own) {
            auto other = own->apply_async(same, 1);
            const int made = own->map(MapOptions{.total_timeout = 1h}, same, first_numbers(10)).back();
            return made + other.get();
        },
        &pool);
    CHECK(last == 10);
}

template <class P>
void slow_consumer() {
    P pool{2};
    const auto read = [](auto range, std::chrono::nanoseconds total) {
        const auto start = std::chrono::steady_clock::now();
        std::map<std::size_t, Outcome<int>> found;
        while (auto next = range.next()) {
            found.try_emplace((**next).index, (**next).value);
            sleep_past(start + total);
        }
        return fates_of(found | std::views::values, total);
    };
    std::string fates;
    CHECK(with_enough_time([&](auto total) {
        fates =
            read(pool.imap_outcomes(MapOptions{.window = 5, .total_timeout = total}, same, first_numbers(100)), total);
        CHECK(fates.size() == 100);
        CHECK(fates.find_first_of("?!oW") == std::string::npos);
        return fates.starts_with("....T") || fates.starts_with(".....T");
    }));
    CHECK(fates.substr(6) == std::string(94, 'T'));
    // An input whose end is unknown has one item for the rest.
    CHECK(with_enough_time([&](auto total) {
        fates = read(pool.imap_outcomes(MapOptions{.window = 5, .total_timeout = total}, same, Generator{100}), total);
        return fates == ".....T" || fates == "....T";
    }));
    CHECK(with_enough_time([&](auto total) {
        fates =
            read(pool.imap_outcomes(MapOptions{.window = 5, .total_timeout = total}, same, std::views::iota(0)), total);
        return fates == ".....T" || fates == "....T";
    }));
    auto range = pool.imap(MapOptions{.window = 1, .total_timeout = 1ms}, same, first_numbers(3));
    sleep_past(std::chrono::steady_clock::now() + 1ms);
    std::size_t given = 0;
    while (!range.is_over()) { given += range.next_for(0ms).has_value() ? 1 : 0; }
    CHECK(given == 3);
}
ON_EVERY_ENGINE("total_timeout: a consumer that comes back too late gets what has ended and the rest", slow_consumer)

TEST_CASE("total_timeout of imap counts from the first item and looks at the time when somebody waits") {
    SharedPage page;
    const Counter running{page};
    Pool pool{2};
    auto range = pool.imap_outcomes(
        MapOptions{.chunk_size = 1, .total_timeout = 30ms}, snapshot([running](int i) {
            running.add();
            if (i == 0) { hang(); }
            return i;
        }),
        std::views::iota(0, 2) | std::views::transform([start = std::chrono::steady_clock::now()](int i) {
            if (i == 0) { sleep_past(start + 40ms); }
            return i;
        }));
    running.wait_for(1);
    CHECK(with_enough_time([&](auto) { return running.value() > 0; }));
    for (int i = 0; i < 2; ++i) {
        const auto next = range.next();
        REQUIRE(next.has_value());
        const auto& [index, outcome] = **next;
        if (index == 0) { CHECK_THROWS_AS(outcome.value(), TaskTimedOut); }
    }
    CHECK_FALSE(range.next().has_value());
}

/// The total passes at any moment: in the middle, exactly at the end, after it.
template <class P>
void random_totals() {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random{seed};
    P pool{{.workers = 2, .queue_capacity = 64}};
    const std::size_t rounds = times(has_processes<P>() ? 300 : 1000);
    std::size_t whole = 0;
    std::size_t cut = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        const std::size_t n = random() % 60;
        const std::chrono::nanoseconds total{1 + random() % 600000};
        const MapOptions options{.chunk_size = random() % 8,
                                 .window = random() % 20,
                                 .on_error = random() % 2 == 0 ? OnError::fail_fast : OnError::wait_all,
                                 .retries = static_cast<unsigned>(random() % 2),
                                 .total_timeout = total};
        CAPTURE(round, n, total.count(), options.chunk_size, options.window);
        const auto f = [pause = static_cast<int>(random() % 2000)](int i) {
            for (int k = 0; k < pause; ++k) { asm volatile(""); }
            return i;
        };
        std::string fates;
        switch (random() % 5) {
            case 0: fates = fates_of(pool.map_outcomes(options, f, first_numbers(n)), total); break;
            case 1: fates = fates_by_index(pool.imap_outcomes(options, f, first_numbers(n)), total); break;
            case 2: {
                std::vector<Outcome<int>> all;
                auto range = pool.imap(options, f, first_numbers(n));
                while (auto next = range.next()) { all.push_back(*std::move(next)); }
                fates = fates_of(all, total);
                break;
            }
            case 3:
                try {
                    const std::vector<int> results = pool.map(options, f, first_numbers(n));
                    CHECK(results == first_numbers(n));
                    fates = std::string(n, '.');
                } catch (const TaskTimedOut& late) {
                    CHECK(late.limit() == total);
                    fates = std::string(n, 'T');
                }
                break;
            default: {
                SharedArray<int> array(60);
                auto future = pool.for_each_async(
                    options, [](int& x) { ++x; }, array.span().first(n));
                try {
                    get_soon(future);
                    CHECK(std::count(array.begin(), array.end(), 1) == static_cast<std::ptrdiff_t>(n));
                    fates = std::string(n, '.');
                } catch (const TaskTimedOut&) {
                    CHECK(std::count(array.begin(), array.end(), 0) + std::count(array.begin(), array.end(), 1) == 60);
                    fates = std::string(n, 'T');
                }
            }
        }
        REQUIRE(fates.size() == n);
        REQUIRE(fates.find_first_not_of(".T") == std::string::npos);
        ++(fates.find('T') == std::string::npos ? whole : cut);
    }
    CHECK(whole + cut == rounds);
    CHECK(pool.map(same, first_numbers(100)) == first_numbers(100));
}
ON_EVERY_ENGINE("total_timeout that passes at any moment: each item has a value or TaskTimedOut", random_totals)

TEST_CASE("total_timeout and timeout: the earlier one") {
    Pool pool{2};
    const MapOptions total_first{.chunk_size = 1, .timeout = 1h, .retries = 1, .total_timeout = 30ms};
    const MapOptions item_first{.chunk_size = 1, .timeout = 30ms, .total_timeout = 1h};
    CHECK(fates_of(pool.map_outcomes(
                       total_first, [](int) { return hang(); }, first_numbers(2)),
                   30ms) == "TT");
    CHECK(fates_of(pool.map_outcomes(
                       item_first, [](int) { return hang(); }, first_numbers(2)),
                   1h) == "oo");
    CHECK(fates_by_index(pool.imap_outcomes(
                             total_first, [](int) { return hang(); }, first_numbers(2)),
                         30ms) == "TT");
}

TEST_CASE("total_timeout ends retries without end") {
    SharedPage page;
    const Counter tried{page};
    Pool pool{2};
    const auto dies = snapshot([tried](int) {
        tried.add();
        ::raise(SIGKILL);
        return 0;
    });
    for (const std::size_t chunk : {1, 10}) {
        const MapOptions options{.chunk_size = chunk, .retries = 65535, .total_timeout = 50ms};
        const std::string fates = fates_of(pool.map_outcomes(options, dies, first_numbers(10)), 50ms);
        CHECK(fates.size() == 10);
        CHECK(fates.find_first_not_of("TW") == std::string::npos);
        CHECK(fates.find('T') != std::string::npos);
        const std::int64_t before = tried.value();
        CHECK(pool.map(same, first_numbers(10)) == first_numbers(10));
        CHECK(tried.value() == before);
    }
}

TEST_CASE("total_timeout ends what still runs of a call that has failed or was cancelled") {
    SharedPage page;
    const Counter running{page};
    const Gate failed{page};
    Pool pool{2};
    const auto f = snapshot([=](int i) {
        if (i == 0) {
            running.add();
            hang();
        }
        running.wait_for(1);
        failed.set();
        throw std::range_error("1");
    });
    for (const OnError on_error : {OnError::fail_fast, OnError::wait_all}) {
        const MapOptions options{.chunk_size = 1, .on_error = on_error, .total_timeout = 300ms};
        CHECK_THROWS_AS(pool.for_each(options, f, first_numbers(2)), TaskTimedOut);  // of the lower item
    }
    auto future = pool.map_async(
        MapOptions{.chunk_size = 1, .total_timeout = 300ms}, [](int) { return hang(); }, first_numbers(10));
    CHECK(future.cancel());
    CHECK_THROWS_AS(get_soon(future), TaskCancelled);
    auto killed = pool.for_each_async(
        MapOptions{.chunk_size = 1, .total_timeout = 1h}, [](int) { hang(); }, first_numbers(10));
    CHECK(killed.kill());
    CHECK_THROWS_AS(get_soon(killed), TaskCancelled);
}

TEST_CASE("total_timeout ends what still runs when the listener to progress has thrown") {
    Pool pool{2};
    const MapOptions options{.progress = [](const Progress&) { throw std::domain_error("enough"); },
                             .total_timeout = 300ms};
    CHECK_THROWS_AS(pool.for_each(options, hangs_once, first_numbers(40)), std::domain_error);
}

TEST_CASE("total_timeout: closing and moving the pool meanwhile changes nothing") {
    Pool first{2};
    auto range = first.imap_outcomes(MapOptions{.chunk_size = 1, .total_timeout = 50ms}, hangs_once, first_numbers(40));
    auto future = first.map_async(MapOptions{.total_timeout = 50ms}, hangs_once, first_numbers(40));
    Pool pool = std::move(first);
    pool.close();
    CHECK_THROWS_AS(get_soon(future), TaskTimedOut);
    CHECK(fates_by_index(std::move(range), 50ms).find_first_not_of(".T") == std::string::npos);
    CHECK(pool.join_for(wait_limit));
}

TEST_CASE("total_timeout of fork_map") {
    CHECK_THROWS_AS(
        fork_map(PoolOptions{.workers = 2}, MapOptions{.total_timeout = 50ms}, hangs_once, first_numbers(40)),
        TaskTimedOut);
    CHECK(fork_map(PoolOptions{.workers = 2}, MapOptions{.total_timeout = 1h}, same, first_numbers(40)) ==
          first_numbers(40));
    CHECK_THROWS_AS(fork_map(PoolOptions{}, MapOptions{.total_timeout = -1ns}, same, first_numbers(1)),
                    std::invalid_argument);
}

template <class P>
void enough_time() {
    P pool{2};
    for (const std::chrono::nanoseconds total : {std::chrono::nanoseconds{1h}, std::chrono::nanoseconds::max()}) {
        for (const std::size_t n : {0, 1, 500}) {
            const MapOptions options{.total_timeout = total};
            CHECK(pool.map(options, same, first_numbers(n)) == first_numbers(n));
            CHECK(pool.map(options, same, Generator{static_cast<int>(n)}) == first_numbers(n));
            CHECK(get_soon(pool.map_async(options, same, first_numbers(n))) == first_numbers(n));
            CHECK(pool.map_reduce(options, same, std::plus<>{}, 0, first_numbers(n)) ==
                  static_cast<int>(n * (n == 0 ? 0 : n - 1) / 2));
            const std::string all(n, '.');
            CHECK(fates_of(pool.map_outcomes(options, same, first_numbers(n)), total) == all);
            CHECK(fates_by_index(pool.imap_outcomes(options, same, Generator{static_cast<int>(n)}), total) == all);
        }
    }
    for (int way = 0; way < throwing_ways; ++way) {
        for (const std::size_t n : {0, 3}) {
            CHECK_THROWS_AS(call_in_way(pool, way, MapOptions{.total_timeout = -1ns}, same, n), std::invalid_argument);
        }
    }
    CHECK_THROWS_AS(pool.map_outcomes(MapOptions{.total_timeout = -1ns}, same, first_numbers(1)),
                    std::invalid_argument);
}
ON_EVERY_ENGINE("total_timeout that does not pass changes nothing and one below 0 is refused", enough_time)

template <class P>
void counts_from_the_call() {
    SharedPage page;
    const Counter ran{page};
    P pool{2};
    const auto count = snapshot([ran](int i) { ran.add(i); });
    const auto slow = std::views::iota(1, 4) | std::views::transform([](int i) {
                          std::this_thread::sleep_for(10ms);
                          return i;
                      });
    CHECK_THROWS_AS(get_soon(pool.for_each_async(MapOptions{.total_timeout = 10ms}, count, slow)), TaskTimedOut);
    CHECK(ran.value() == 0);
    // The input of the others is read meanwhile: what was sent before the time had passed may have run.
    const auto outcomes = pool.map_outcomes(MapOptions{.total_timeout = 15ms}, same, slow);
    CHECK(outcomes.size() <= 3);
    CHECK_THROWS_AS(outcomes.back().value(), TaskTimedOut);
}
ON_EVERY_ENGINE("total_timeout counts while the input is read", counts_from_the_call)

TEST_CASE("total_timeout asks a thread's item to stop and begins no other", "[thread]") {
    ThreadPool pool{2};
    const auto until_stopped = [](std::stop_token stop, int i) {
        wait_until([&] { return stop.stop_requested(); }, "a request to stop");
        return i;
    };
    for (const std::size_t chunk : {1, 10}) {
        CAPTURE(chunk);
        const MapOptions options{.chunk_size = chunk, .total_timeout = 20ms};
        const std::string fates = fates_of(pool.map_outcomes(options, until_stopped, first_numbers(40)), 20ms);
        REQUIRE(fates.size() == 40);
        CHECK(std::ranges::count(fates, '.') <= 2);  // those that returned
        CHECK(std::ranges::count(fates, '.') + std::ranges::count(fates, 'T') == 40);
        CHECK(fates_by_index(pool.imap_outcomes(options, until_stopped, first_numbers(40)), 20ms).size() == 40);
    }
}

TEST_CASE("total_timeout of an InlinePool: the items after the one that took too long are not run") {
    InlinePool pool;
    for (const std::size_t chunk : {0, 1, 100}) {
        CAPTURE(chunk);
        for (int way = 0; way < 3; ++way) {
            CAPTURE(way);
            std::string fates;
            CHECK(with_enough_time([&](auto total) {
                const MapOptions options{.chunk_size = chunk, .window = 100, .total_timeout = total};
                const auto late = snapshot([&, start = std::chrono::steady_clock::now()](int i) {
                    if (i == hanging) { sleep_past(start + total); }
                    return i;
                });
                if (way == 0) {
                    fates = fates_of(pool.map_outcomes(options, late, first_numbers(40)), total);
                } else if (way == 1) {
                    fates = fates_by_index(pool.imap_outcomes(options, late, first_numbers(40)), total);
                } else {
                    fates = fates_of(pool.map_outcomes(options, late, Generator{hanging + 1}), total);
                    return fates == std::string(hanging + 1, '.');  // that one was the last
                }
                return fates == std::string(hanging + 1, '.') + std::string(40 - hanging - 1, 'T');
            }));
            CHECK(fates[hanging] == '.');
        }
    }
}

}  // namespace

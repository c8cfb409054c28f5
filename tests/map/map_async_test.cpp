// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/map_async.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace procpool_test;

namespace {

template <class P>
void equals_map() {
    P pool{3};
    for (const std::size_t n : {0, 1, 2, 40, 3000}) {
        for (const std::size_t chunk : {std::size_t{0}, std::size_t{1}, std::size_t{6}, n + 1}) {
            if (n > 100 && chunk == 1) { continue; }
            CAPTURE(n, chunk);
            const MapOptions options{.chunk_size = chunk};
            std::vector<int> numbers = first_numbers(n);
            const auto expected = pool.map(square, numbers);
            auto squares = pool.map_async(options, square, numbers);
            auto generated = pool.map_async(options, square, Generator{static_cast<int>(n)});
            auto texts = pool.map_async(
                options, [](const std::string& s, int i) { return s + std::to_string(i); },
                std::vector<std::string>(n, "x"), numbers);
            auto starred = pool.starmap_async(
                options, [](int a, std::string b) { return a + static_cast<int>(b.size()); },
                numbers | std::views::transform([](int i) {
                    return std::tuple{i, std::string("abc")};
                }));
            std::fill(numbers.begin(), numbers.end(), -1);  // the input has been read
            CHECK(get_soon(squares) == expected);
            CHECK(get_soon(generated) == expected);
            const auto all = get_soon(texts);
            CHECK(all.size() == n);
            if (n > 0) { CHECK(all.back() == "x" + std::to_string(n - 1)); }
            const auto sums = get_soon(starred);
            CHECK(sums.size() == n);
            if (n > 0) { CHECK(sums.back() == static_cast<int>(n) + 2); }
        }
    }
    std::vector<std::unique_ptr<int>> owned;
    owned.push_back(std::make_unique<int>(3));
    auto pointers = pool.map_async([](std::unique_ptr<int> p) { return p; }, owned);
    CHECK(*get_soon(pointers)[0] == 3);
    std::vector<bool> bits{true, false};
    CHECK(get_soon(pool.map_async([](bool b) { return !b; }, bits)) == std::vector<bool>{false, true});
    CHECK(get_soon(pool.map_async([](std::string s) { return s; }, std::array{"a", "b"})) ==
          std::vector<std::string>{"a", "b"});
}
ON_EVERY_ENGINE("API-05 map_async and starmap_async equal map", equals_map)

template <class P>
void empty_is_ready_soon() {
    P pool{2};
    std::atomic<int> called{0};
    auto none = pool.map_async(square, std::vector<int>{});
    none.on_done([&] { ++called; });
    CHECK(none.wait_for(wait_limit) == std::future_status::ready);
    CHECK(called == 1);
    CHECK(none.get().empty());
    CHECK(get_soon(pool.starmap_async([](int a, int b) { return a + b; }, std::vector<std::pair<int, int>>{})).empty());
    auto then = pool.map_async(square, first_numbers(4)).then([](std::vector<int> all) { return all.back(); });
    CHECK(get_soon(then) == 9);
    CHECK(called == 1);
}
ON_EVERY_ENGINE("API-07 map_async of nothing is ready at once and callbacks are called once", empty_is_ready_soon)

template <class P>
void runs_without_being_asked() {
    SharedPage page;
    const Counter ran{page};
    {
        P pool{2};
        static_cast<void>(pool.map_async(snapshot([ran](int i) {
                                             ran.add();
                                             return i;
                                         }),
                                         first_numbers(10)));
    }
    CHECK(ran.value() == 10);
}
ON_EVERY_ENGINE("API-16 a dropped map_async is run all the same also by a pool that is closed",
                runs_without_being_asked)

template <class P>
void returns_at_once() {
    SharedPage page;
    const Gate may_end{page};
    P pool{2};
    auto future = pool.map_async(snapshot([may_end](int i) {
                                     may_end.wait();
                                     return i;
                                 }),
                                 first_numbers(100));
    CHECK_FALSE(future.ready());
    CHECK(future.wait_for(1ms) == std::future_status::timeout);
    may_end.set();
    CHECK(get_soon(future) == first_numbers(100));
}
ON_ENGINES_WITH_WORKERS("map_async does not wait", returns_at_once)

template <class P>
void errors() {
    P pool{2};
    auto failed = pool.map_async([](int i) { return i == 7 ? throw std::out_of_range("7") : i; }, first_numbers(10));
    CHECK_THROWS_AS(get_soon(failed), std::out_of_range);
    auto lowest = pool.map_async(
        MapOptions{.on_error = OnError::wait_all}, [](int i) -> int { throw std::out_of_range(std::to_string(i)); },
        first_numbers(10));
    CHECK_THROWS_WITH(get_soon(lowest), "0");
    CHECK_THROWS_AS(pool.map_async(square, Generator{10, 3}), std::domain_error);
    CHECK_THROWS_AS(pool.map_async(MapOptions{.priority = 8}, square, first_numbers(0)), std::invalid_argument);
    CHECK(get_soon(pool.map_async(square, first_numbers(2))).size() == 2);
    pool.close();
    CHECK_THROWS_AS(pool.map_async(square, first_numbers(0)), PoolClosed);
}
ON_EVERY_ENGINE("map_async: errors of items are the future's - those of the input the caller's", errors)

TEST_CASE("map_async refuses captured references at once") {
    Pool pool{2};
    int local = 1;
    const auto add = [&local](int i) { return i + local; };
    const auto add_both = [&local](int i, int j) { return i + j + local; };
    for (const std::size_t n : {0, 3}) {
        const std::vector<int> numbers = first_numbers(n);
        CHECK_THROWS_AS(pool.map_async(add, numbers), CodecError);
        CHECK_THROWS_AS(pool.map_async(add_both, numbers, numbers), CodecError);
        CHECK_THROWS_AS(pool.starmap_async(add_both, std::vector<std::pair<int, int>>(n)), CodecError);
    }
    CHECK(pool.stats().submitted == 0);
    CHECK(get_soon(pool.map_async(snapshot(add), std::vector<int>{})).empty());
}

template <class P>
void cancelled() {
    SharedPage page;
    const Gate may_end{page};
    const Counter started{page};
    P pool{2};
    auto future = pool.map_async(MapOptions{.chunk_size = 1}, snapshot([=](int i) {
                                     started.add();
                                     may_end.wait();
                                     return i;
                                 }),
                                 first_numbers(1000));
    started.wait_for(2);
    CHECK(future.cancel());
    CHECK(future.cancel());
    may_end.set();
    CHECK_THROWS_AS(get_soon(future), TaskCancelled);
    CHECK(started.value() <= 10);  // those that were on their way to the workers
    auto over = pool.map_async(square, first_numbers(2));
    over.wait();
    CHECK_FALSE(over.cancel());
    CHECK_FALSE(over.kill());
    CHECK(over.get().size() == 2);
}
ON_ENGINES_WITH_WORKERS("TMO-16 cancel() spares the items that have not started", cancelled)

TEST_CASE("kill() ends what runs of a map_async") {
    SharedPage page;
    const Counter started{page};
    Pool pool{2};
    auto future = pool.map_async(MapOptions{.chunk_size = 1}, snapshot([started](int i) {
                                     started.add();
                                     std::this_thread::sleep_for(20s);
                                     return i;
                                 }),
                                 first_numbers(100));
    started.wait_for(2);
    const auto start = std::chrono::steady_clock::now();
    CHECK(future.cancel());
    CHECK(future.kill());
    CHECK_THROWS_AS(get_soon(future), TaskCancelled);
    CHECK(since(start) < wait_limit / 2);
    CHECK(started.value() <= 4);
    CHECK(pool.map(square, first_numbers(10)).size() == 10);
}

TEST_CASE("map_async: a dead worker costs one item - retries included") {
    Pool pool{2};
    auto died = pool.map_async([](int i) { return i == 5 ? ::raise(SIGKILL) : i; }, first_numbers(10));
    CHECK_THROWS_AS(get_soon(died), WorkerDied);
    auto retried = pool.map_async(
        MapOptions{.retries = 1},
        [](int i) {
            if (i % 4 == 0 && this_task::attempt() == 0) { ::raise(SIGKILL); }
            return i;
        },
        first_numbers(20));
    CHECK(get_soon(retried) == first_numbers(20));
}

template <class P>
void closed() {
    SharedPage page;
    const Gate may_go_on{page};
    P pool{2};
    auto future = pool.map_async(MapOptions{.chunk_size = 1}, snapshot([may_go_on](int i) {
                                     may_go_on.wait();
                                     return i;
                                 }),
                                 first_numbers(500));
    pool.close();
    CHECK_THROWS_AS(pool.apply(square, 1), PoolClosed);
    CHECK_THROWS_AS(pool.map(square, first_numbers(1)), PoolClosed);
    CHECK_FALSE(pool.join_for(1ms));
    may_go_on.set();
    CHECK(get_soon(future) == first_numbers(500));
    CHECK(pool.join_for(wait_limit));
}
ON_ENGINES_WITH_WORKERS("a pool that is closed finishes its map_asyncs before its workers leave", closed)

template <class P>
void terminated_map() {
    SharedPage page;
    const Counter started{page};
    std::optional<Future<std::vector<int>>> future;
    for (const bool killed : {false, true}) {
        const std::int64_t before = started.value();
        {
            P pool{{.workers = 2, .terminate_grace = 0ms}};
            future = pool.map_async(MapOptions{.chunk_size = 1}, snapshot([started](int i) {
                                        started.add();
                                        std::this_thread::sleep_for(1ms);
                                        return i;
                                    }),
                                    first_numbers(100000));
            started.wait_for(before + 10);
            if (killed) {
                pool.kill();
            } else {
                pool.terminate();
            }
        }
        CHECK(future->ready());
        CHECK_THROWS_AS(future->get(), PoolTerminated);
    }
}
ON_ENGINES_WITH_WORKERS("terminate() and kill() end a map_async with PoolTerminated", terminated_map)

template <class P>
void many_at_once() {
    P pool{2};
    std::vector<Future<std::vector<int>>> futures;
    for (int i = 0; i < 20; ++i) {
        futures.push_back(pool.map_async([i](int x) { return x + i; }, first_numbers(200)));
    }
    for (int i = 0; i < 20; ++i) {
        const auto results = get_soon(futures[static_cast<std::size_t>(i)]);
        CHECK(results.size() == 200);
        CHECK(results.back() == 199 + i);
    }
}
ON_EVERY_ENGINE("twenty map_asyncs on one pool", many_at_once)

TEST_CASE("a pool with room for one task runs a map_async") {
    Pool pool{{.workers = 2, .queue_capacity = 1}};
    auto future = pool.map_async(MapOptions{.chunk_size = 3}, square, first_numbers(50));
    CHECK(pool.apply(square, 3) == 9);
    CHECK(get_soon(future).size() == 50);
}

TEST_CASE("a child forked while a map_async runs leaves it alone") {
    SharedPage page;
    const Gate may_end{page};
    auto pool = std::make_unique<Pool>(2);
    auto future = std::make_unique<Future<std::vector<int>>>(pool->map_async(snapshot([may_end](int i) {
                                                                                 may_end.wait();
                                                                                 return i;
                                                                             }),
                                                                             first_numbers(10)));
    Subprocess child{[&] {
        future.reset();
        pool.reset();
    }};
    CHECK(exited_with(child.wait(), 0));
    may_end.set();
    CHECK(get_soon(*future) == first_numbers(10));
}

}  // namespace

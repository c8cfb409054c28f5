// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/map_async.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

template <class P>
void async_sees_every_item_once() {
    SharedPage page;
    const Counter sum{page};
    const auto add = snapshot([sum](int i) { sum.add(i); });
    const auto add_both = snapshot([sum](const std::string& s, int i) { sum.add(i + static_cast<int>(s.size())); });
    P pool{3};
    for (const std::size_t n : {0, 1, 2, 40, 3000}) {
        for (const std::size_t chunk : {std::size_t{0}, std::size_t{6}, n + 1}) {
            CAPTURE(n, chunk);
            const MapOptions options{.chunk_size = chunk};
            std::vector<int> numbers = first_numbers(n);
            auto plain = pool.for_each_async(options, add, numbers);
            auto generated = pool.for_each_async(options, add, Generator{static_cast<int>(n)});
            auto zipped = pool.for_each_async(options, add_both, std::vector<std::string>(n, "xy"), numbers);
            auto repeated = pool.for_each_async(options, add_both, repeat(std::string("xyz")), numbers);
            auto with_results = pool.for_each_async(options, square, numbers);
            std::fill(numbers.begin(), numbers.end(), -1);  // the input has been read
            for (Future<void>* future : {&plain, &generated, &zipped, &repeated, &with_results}) { get_soon(*future); }
            const auto count = static_cast<std::int64_t>(n);
            CHECK(sum.value() == 4 * (count * (count - 1) / 2) + 5 * count);
            sum.add(-sum.value());
        }
    }
}
ON_EVERY_ENGINE("API-05 for_each_async sees every item once", async_sees_every_item_once)

template <class P>
void async_changes_in_place() {
    P pool{3};
    for (const std::size_t n : {0, 1, 2, 100, 100000}) {
        for (const std::size_t chunk : {std::size_t{0}, std::size_t{1000}, n + 1}) {
            CAPTURE(n, chunk);
            SharedArray<std::int64_t> array(std::max<std::size_t>(n, 1));
            const std::span<std::int64_t> items{array.data(), n};
            std::iota(array.begin(), array.end(), 0);
            const MapOptions options{.chunk_size = chunk};
            get_soon(pool.for_each_async(
                options, [](std::int64_t& x) { x = 2 * x + 1; }, items));
            get_soon(pool.for_each_async(
                options, [](std::int64_t& x, const std::string& s) { x += static_cast<std::int64_t>(s.size()); }, items,
                repeat(std::string("abc"))));
            get_soon(pool.for_each_async(
                options, [](std::int64_t& x) { x = 0; }, items.subspan(n / 2)));
            bool right = true;
            for (std::size_t i = 0; right && i < n; ++i) {
                right = items[i] == (i < n / 2 ? 2 * static_cast<std::int64_t>(i) + 4 : 0);
            }
            CHECK(right);
        }
    }
}
ON_EVERY_ENGINE("for_each_async changes a SharedArray and a span of it in place", async_changes_in_place)

TEST_CASE("for_each_async in place copies no item") {
    SharedPage page;
    const Gate filled{page};
    const Counter begun{page};
    Pool pool{1};
    SharedArray<int> array(100);
    auto future = pool.for_each_async(MapOptions{.chunk_size = 100}, snapshot([=](int& x) {
                                          begun.add();
                                          filled.wait();
                                          ++x;
                                      }),
                                      array);
    begun.wait_for(1);
    std::fill(array.begin(), array.end(), 7);
    filled.set();
    get_soon(future);
    CHECK(std::count(array.begin(), array.end(), 8) == 100);
}

TEST_CASE("for_each_async in place on memory of the parent alone is refused and changes nothing") {
    Pool pool{2};
    std::vector<int> mine(100, 1);
    CHECK_THROWS_AS(pool.for_each_async([](int& x) { ++x; }, mine), CodecError);
    CHECK(mine == std::vector<int>(100, 1));
    int local = 1;
    SharedArray<int> array(3);
    CHECK_THROWS_AS(pool.for_each_async([&local](int& x) { x += local; }, array), CodecError);
    CHECK_THROWS_AS(pool.for_each_async([&local](int x) { static_cast<void>(x + local); }, mine), CodecError);
    CHECK(pool.stats().submitted == 0);
}

template <class P>
void async_without_items() {
    std::atomic<int> called{0};
    P pool{1};
    auto none = pool.for_each_async([](int) {}, std::vector<int>{});
    none.on_done([&] { ++called; });
    CHECK(none.wait_for(wait_limit) == std::future_status::ready);
    CHECK(called == 1);
    get_soon(none);
    auto then = pool.for_each_async([](int) {}, first_numbers(4)).then([&] { return ++called; });
    CHECK(get_soon(then) == 2);
}
ON_EVERY_ENGINE("for_each_async of nothing is ready soon and callbacks are called once", async_without_items)

template <class P>
void async_failures() {
    P pool{2};
    const auto fails = [](int i) {
        if (i % 10 == 7) { throw std::out_of_range(std::to_string(i)); }
    };
    CHECK_THROWS_AS(get_soon(pool.for_each_async(fails, first_numbers(10))), std::out_of_range);
    CHECK_THROWS_WITH(
        get_soon(pool.for_each_async(MapOptions{.on_error = OnError::wait_all}, fails, first_numbers(40))), "7");
    CHECK_THROWS_AS(pool.for_each_async(same, Generator{10, 3}), std::domain_error);
    CHECK_THROWS_AS(pool.for_each_async(MapOptions{.priority = 8}, same, first_numbers(0)), std::invalid_argument);
    CHECK_THROWS_AS(pool.for_each_async(MapOptions{.total_timeout = -1s}, same, first_numbers(0)),
                    std::invalid_argument);
    get_soon(pool.for_each_async(same, first_numbers(2)));
    pool.close();
    CHECK_THROWS_AS(pool.for_each_async(same, first_numbers(0)), PoolClosed);
    SharedArray<int> array(1);
    CHECK_THROWS_AS(pool.for_each_async([](int&) {}, array), PoolClosed);
}
ON_EVERY_ENGINE("for_each_async: errors of items are the future's - those of the input the caller's", async_failures)

TEST_CASE("for_each_async in place: a dead worker costs one item and retries run only that again") {
    Pool pool{2};
    for (const std::size_t chunk : {1, 7, 100}) {
        CAPTURE(chunk);
        SharedArray<int> array(100);
        CHECK_THROWS_AS(get_soon(pool.for_each_async(
                            MapOptions{.chunk_size = chunk, .on_error = OnError::wait_all},
                            [](int& x) {
                                if (++x == 1 && this_task::attempt() == 0) { ::raise(SIGKILL); }
                            },
                            array.span().first(1))),
                        WorkerDied);
        std::fill(array.begin(), array.end(), 0);
        get_soon(pool.for_each_async(
            MapOptions{.chunk_size = chunk, .retries = 1},
            [first = array.data()](int& x) {
                ++x;
                if ((&x - first) % 9 == 0 && this_task::attempt() == 0) { ::raise(SIGKILL); }
            },
            array));
        bool right = true;
        for (std::size_t i = 0; i < 100; ++i) { right = right && array[i] == (i % 9 == 0 ? 2 : 1); }
        CHECK(right);
    }
}

template <class P>
void async_cancelled() {
    SharedPage page;
    const Gate may_end{page};
    const Counter started{page};
    P pool{2};
    SharedArray<int> array(1000);
    const auto f = snapshot([=](int& x) {
        started.add();
        may_end.wait();
        x = 1;
    });
    auto future = pool.for_each_async(MapOptions{.chunk_size = 1}, f, array);
    started.wait_for(2);
    CHECK(future.running());
    CHECK(future.cancel());
    may_end.set();
    CHECK_THROWS_AS(get_soon(future), TaskCancelled);
    CHECK(started.value() <= 10);  // those that were on their way to the workers
    CHECK(std::count(array.begin(), array.end(), 1) == started.value());
}
ON_ENGINES_WITH_WORKERS("for_each_async: cancel() spares the items that have not started", async_cancelled)

TEST_CASE("for_each_async: kill() ends what runs") {
    SharedPage page;
    const Counter started{page};
    Pool pool{2};
    auto future = pool.for_each_async(MapOptions{.chunk_size = 1}, snapshot([started](int) {
                                          started.add();
                                          for (;;) { ::pause(); }
                                      }),
                                      first_numbers(100));
    started.wait_for(2);
    CHECK(future.kill());
    CHECK_THROWS_AS(get_soon(future), TaskCancelled);
    CHECK(started.value() <= 4);
    get_soon(pool.for_each_async(same, first_numbers(10)));
}

template <class P>
void async_of_a_closed_pool() {
    SharedPage page;
    const Gate may_go_on{page};
    const Counter ran{page};
    const auto f = snapshot([=](int) {
        may_go_on.wait();
        ran.add();
    });
    P pool{2};
    auto future = pool.for_each_async(MapOptions{.chunk_size = 1}, f, first_numbers(500));
    pool.close();
    CHECK_FALSE(pool.join_for(1ms));
    may_go_on.set();
    get_soon(future);
    CHECK(ran.value() == 500);
    CHECK(pool.join_for(wait_limit));
}
ON_ENGINES_WITH_WORKERS("a pool that is closed finishes its for_each_asyncs", async_of_a_closed_pool)

template <class P>
void async_of_a_moved_pool() {
    SharedPage page;
    const Gate may_go_on{page};
    const Counter ran{page};
    std::optional<Future<void>> future;
    {
        P first{{.workers = 2, .queue_capacity = 1}};
        future = first.for_each_async(MapOptions{.chunk_size = 1}, snapshot([=](int) {
                                          may_go_on.wait();
                                          ran.add();
                                      }),
                                      first_numbers(50));
        P second = std::move(first);
        auto other = second.for_each_async(same, first_numbers(50));
        may_go_on.set();
        get_soon(other);
    }
    CHECK(future->ready());
    future->get();
    CHECK(ran.value() == 50);
}
ON_ENGINES_WITH_WORKERS("for_each_async goes on in a pool that is moved and has room for one task",
                        async_of_a_moved_pool)

template <class P>
void async_of_a_terminated_pool() {
    SharedPage page;
    const Counter started{page};
    std::optional<Future<void>> future;
    {
        P pool{{.workers = 2, .terminate_grace = 0ms}};
        future = pool.for_each_async(MapOptions{.chunk_size = 1}, snapshot([started](int) { started.add(); }),
                                     std::vector<int>(1000000));
        started.wait_for(10);
        pool.kill();
    }
    CHECK_THROWS_AS(future->get(), PoolTerminated);
}
ON_ENGINES_WITH_WORKERS("kill() of the pool ends a for_each_async with PoolTerminated", async_of_a_terminated_pool)

}  // namespace

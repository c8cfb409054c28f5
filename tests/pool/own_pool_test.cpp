// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"

#include <atomic>
#include <cstdint>
#include <numeric>
#include <ranges>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace procpool_test;

// Tasks of a pool that use the pool that runs them. Their memory is the program's, so they find it here.

namespace {

#define ON_SHARED_MEMORY(name, test) ON_THREADS(name, test) ON_INLINE(name, test)

template <class P>
P* own = nullptr;

/// A pool for the tasks of one test.
template <class P>
struct OwnPool {
    P pool;
    explicit OwnPool(PoolOptions options) : pool(std::move(options)) { own<P> = &pool; }
    P* operator->() { return &pool; }
};

template <class F>
bool is_deadlock(F f) {
    try {
        f();
    } catch (const std::system_error& error) { return error.code() == std::errc::resource_deadlock_would_occur; }
    return false;
}

template <class P>
int fibonacci(int n) {
    if (n < 2) { return n; }
    auto first = own<P>->apply_async(fibonacci<P>, n - 1);
    return own<P>->apply(fibonacci<P>, n - 2) + first.get();
}

template <class P>
void apply_in_tasks() {
    for (const std::size_t workers : {1, 2, 3}) {
        OwnPool<P> pool{{.workers = workers}};
        CHECK(pool->apply(fibonacci<P>, 13) == 233);
        std::vector<Future<int>> futures;
        for (int n = 0; n < 12; ++n) { futures.push_back(pool->apply_async(fibonacci<P>, n)); }
        std::vector<int> numbers;
        for (auto& future : futures) { numbers.push_back(get_soon(future)); }
        CHECK(numbers == std::vector{0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89});
    }
}
ON_SHARED_MEMORY("tasks wait for tasks of their own pool", apply_in_tasks)

template <class P>
void everything_in_tasks() {
    for (const std::size_t workers : {1, 2}) {
        OwnPool<P> pool{{.workers = workers}};
        const auto sum_of = [](std::vector<int> numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0); };
        const auto all = [=](int n) {
            P& mine = *own<P>;
            const std::vector<int> items{1, 2, 3, n};
            std::vector<int> sums;
            sums.push_back(sum_of(mine.map(same, items)));
            sums.push_back(sum_of(mine.map(
                MapOptions{.chunk_size = 1}, [](int i) { return own<P>->apply(same, i); }, items)));
            sums.push_back(sum_of(mine.map_async(same, items).get()));
            sums.push_back(mine.map_async(same, items).then(sum_of).get());
            sums.push_back(mine.map_reduce(same, std::plus<>{}, 0, items));
            int sum = 0;
            for (const int i : mine.imap(same, items)) { sum += i; }
            sums.push_back(sum);
            std::vector<Future<int>> futures;
            for (const int i : items) { futures.push_back(mine.apply_async(same, i)); }
            futures[0].on_done([] {});
            sum = 0;
            for (const std::size_t at : as_completed(futures)) { sum += futures[at].get(); }
            sums.push_back(sum);
            futures.clear();
            for (const int i : items) {
                futures.push_back(mine.apply_async(same, i).then([](int one) { return one; }));
            }
            static_cast<void>(wait_any(futures));
            wait_all(futures);
            sum = 0;
            for (auto& future : futures) { sum += future.get(); }
            sums.push_back(sum);
            auto done = mine.apply_async(same, sum);
            done.on_done([] {});
            sums.push_back(done.get());
            return sums == std::vector<int>(9, 6 + n);
        };
        CHECK(pool->apply(all, 4));
        const auto results = pool->map(MapOptions{.chunk_size = 1}, all, std::views::iota(0, 20));
        CHECK(std::ranges::count(results, true) == 20);
    }
}
ON_SHARED_MEMORY("every call over many items and every way to wait in tasks of the same pool", everything_in_tasks)

template <class P>
void full_queue() {
    const auto submits_many = [](int n) {
        std::vector<Future<int>> futures;
        for (int i = 0; i < 50; ++i) { futures.push_back(own<P>->apply_async(same, i + n)); }
        int sum = 0;
        for (auto& future : futures) { sum += future.get(); }
        return sum;
    };
    for (const std::size_t workers : {1, 2}) {
        OwnPool<P> pool{{.workers = workers, .queue_capacity = 8}};
        CHECK(get_soon(pool->apply_async(submits_many, 0)) == 1225);
        std::vector<Future<int>> futures;
        for (int i = 0; i < 4; ++i) { futures.push_back(pool->apply_async(submits_many, i)); }
        for (int i = 0; i < 4; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)]) == 1225 + 50 * i); }
    }
}
ON_SHARED_MEMORY("a task fills the queue of its own pool", full_queue)

template <class P>
void no_room_at_all() {
    const auto one_more = [](int n) { return is_deadlock([n] { static_cast<void>(own<P>->apply(same, n)); }); };
    {
        OwnPool<P> pool{{.workers = 1, .queue_capacity = 1}};
        CHECK(get_soon(pool->apply_async(one_more, 1)));
        CHECK(pool->apply(same, 2) == 2);
    }
    OwnPool<P> pool{{.workers = 1, .queue_capacity = 4}};
    // Each item of the map waits for room; the last one finds none.
    CHECK(is_deadlock([&] {
        static_cast<void>(pool->apply([] {
            const auto deeper = [](int) {
                const auto another = [](int n) {
                    return own<P>->apply(
                        [](int m) { return own<P>->apply([](int i) { return own<P>->apply(same, i); }, m); }, n);
                };
                return own<P>->apply(another, 1);
            };
            return own<P>->map(MapOptions{.chunk_size = 1}, deeper, std::views::iota(0, 8));
        }));
    }));
    CHECK(pool->apply(same, 3) == 3);
}
ON_SHARED_MEMORY("a task that submits where nobody can make room is told so", no_room_at_all)

TEST_CASE("when the tasks of all workers submit and nobody can make room: one is told so at least", "[thread]") {
    SharedPage page;
    for (int round = 0; round < 20; ++round) {
        const Meeting both{page, 2};
        OwnPool<ThreadPool> pool{{.workers = 2, .queue_capacity = 2}};
        const auto submits = [](Meeting all) {
            all.arrive_and_wait();
            return is_deadlock([] { static_cast<void>(own<ThreadPool>->apply(same, 1)); });
        };
        auto first = pool->apply_async(submits, both);
        auto second = pool->apply_async(submits, both);
        const bool told = get_soon(first);
        REQUIRE((static_cast<int>(get_soon(second)) | static_cast<int>(told)) == 1);
    }
}

TEST_CASE("a task that waits for itself is told so", "[thread]") {
    SharedPage page;
    const Gate handed_over{page};
    static Future<bool> itself;
    OwnPool<ThreadPool> pool{{.workers = 2}};
    itself = pool->apply_async(
        [](Gate gate) {
            gate.wait();
            // Also from within another that runs here.
            return is_deadlock([] { itself.wait(); }) && own<ThreadPool>->apply([] { return true; });
        },
        handed_over);
    handed_over.set();
    CHECK(get_soon(itself));
    itself = {};
}

TEST_CASE("a task that waits for some time only runs nothing meanwhile that could take longer", "[thread]") {
    OwnPool<ThreadPool> pool{{.workers = 1}};
    CHECK(get_soon(pool->apply_async([] {
        auto inner = own<ThreadPool>->apply_async([](std::stop_token stop) {
            while (!stop.stop_requested()) { std::this_thread::yield(); }
        });
        return inner.wait_for(1ms) == std::future_status::timeout && inner.cancel();
    })));
}

template <class P>
void broadcast_in_a_task() {
    OwnPool<P> pool{{.workers = 2}};
    CHECK(get_soon(pool->apply_async([] { return is_deadlock([] { own<P>->broadcast([] {}); }); })));
    CHECK(pool->broadcast([] { return is_deadlock([] { own<P>->broadcast([] {}); }); }) ==
          std::vector<bool>(pool->size(), true));
    // Of another pool it is like any other call.
    CHECK(get_soon(pool->apply_async([] { return P{1}.broadcast([] { return 1; }); })) == std::vector{1});
}
ON_SHARED_MEMORY("a broadcast in a task of the same pool throws", broadcast_in_a_task)

TEST_CASE("who waits in a task runs no broadcast that is for another worker", "[thread]") {
    SharedPage page;
    const Counter started{page};
    static Future<void> awaited;
    OwnPool<ThreadPool> pool{{.workers = 2}};
    auto [promise, future] = make_deferred<void>();
    awaited = std::move(future);
    const auto waits = [](Counter begun) {
        begun.add();
        awaited.wait();
    };
    auto first = pool->apply_async(waits, started);
    auto second = pool->apply_async(waits, started);  // so that only the threads that wait could run a task
    started.wait_for(2);
    std::vector<std::size_t> indices;
    std::thread caller{[&] { indices = pool->broadcast([] { return this_worker::index(); }); }};
    wait_until([&] { return pool->stats().submitted == 4; }, "the broadcast");
    std::this_thread::sleep_for(10ms);  // most likely those that wait have looked; right in any case
    promise.set_value();
    caller.join();
    CHECK(indices == std::vector<std::size_t>{0, 1});
    get_soon(first);
    get_soon(second);
    awaited = {};
}

TEST_CASE("a task that waits is the same task afterwards and hears of stop requests meanwhile", "[thread]") {
    SharedPage page;
    const Gate inner_runs{page};
    const Gate outer_stopped{page};
    OwnPool<ThreadPool> pool{{.workers = 1}};
    auto outer = pool->apply_async(
        [](std::stop_token stop, Gate runs, Gate stopped) {
            const std::stop_callback on_stop{stop, [stopped] { stopped.set(); }};
            const std::uint64_t id = this_task::id();
            const bool inner = own<ThreadPool>->apply(
                [](std::stop_token mine, Gate begun, Gate other, std::uint64_t outer_id) {
                    begun.set();
                    other.wait();
                    return !mine.stop_requested() && mine == this_task::stop_token() && this_task::id() != outer_id;
                },
                runs, stopped, id);
            return inner && this_task::id() == id && this_task::stop_token() == stop &&
                   this_task::stop_token().stop_requested();
        },
        inner_runs, outer_stopped);
    inner_runs.wait();
    CHECK(outer.running());
    CHECK_FALSE(outer.cancel());
    CHECK(get_soon(outer));
    CHECK_FALSE(pool->workers().at(0).busy);
}

TEST_CASE("a task of an InlinePool waits for one that was submitted after another thread's", "[thread]") {
    SharedPage page;
    const Gate entered{page};
    OwnPool<InlinePool> pool{{.workers = 1}};
    std::thread other;
    const int sum = pool->apply(
        [](Gate gate) {
            gate.set();
            wait_until([] { return own<InlinePool>->stats().submitted == 2; }, "the other thread's task");
            return own<InlinePool>->apply(same, 5);  // the other's is the first one now
        },
        [&] {
            other = std::thread{[&] {
                entered.wait();
                static_cast<void>(own<InlinePool>->apply(same, 1));
            }};
            return entered;
        }());
    other.join();
    CHECK(sum == 5);
}

}  // namespace

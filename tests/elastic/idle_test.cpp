// SPDX-License-Identifier: BSL-1.0
#include "elastic/sizes.hpp"

#include <future>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

/// Has `count` tasks in the pool at once.
void meet(Pool& pool, SharedPage& page, int count) {
    const Meeting all{page, count};
    std::vector<Future<void>> met;
    for (int i = 0; i < count; ++i) {
        met.push_back(pool.apply_async([](Meeting m) { m.arrive_and_wait(); }, all));
    }
    for (auto& one : met) { one.get(); }
}

TEST_CASE("idle: workers without tasks leave and come back for them") {
    SharedPage page;
    const Counter finalized{page};
    Pool pool{PoolOptions{
        .workers = 5, .finalizer = [finalized] { finalized.add(); }, .idle_timeout = 20ms, .min_workers = 2}};
    meet(pool, page, 5);
    wait_for_workers(pool, 2);
    CHECK(pool.size() == 5);
    finalized.wait_for(3);
    CHECK(finalized.value() + 2 == static_cast<std::int64_t>(pool.stats().workers_started));
    meet(pool, page, 5);
    wait_for_workers(pool, 2);
    CHECK(pool.stats().workers_died == 0);
    CHECK(pool.stats().workers_recycled == 0);
    CHECK(pool.stats().workers_started >= 8);
    CHECK(pool.broadcast([] { return this_worker::index(); }) == std::vector<std::size_t>{0, 1, 2, 3, 4});
    wait_for_workers(pool, 2);
}

TEST_CASE("idle: only as many come back as there are tasks for") {
    SharedPage page;
    Pool pool{PoolOptions{.workers = 6, .idle_timeout = 20ms}};
    wait_for_workers(pool, 1);
    const std::uint64_t before = pool.stats().workers_started;
    const Gate open{page};
    const Counter begun{page};
    const auto hold = [](Counter counter, Gate gate) {
        counter.add();
        gate.wait();
    };
    auto first = pool.apply_async(hold, begun, open);
    auto second = pool.apply_async(hold, begun, open);
    begun.wait_for(2);
    CHECK(pool.stats().workers_started <= before + 2);
    open.set();
    first.get();
    second.get();
}

TEST_CASE("idle: a worker at work stays") {
    SharedPage page;
    const Gate open{page};
    const Counter begun{page};
    Pool pool{PoolOptions{.workers = 3, .idle_timeout = 5ms}};
    std::vector<Future<int>> long_ones;
    for (int i = 0; i < 2; ++i) {
        long_ones.push_back(pool.apply_async(
            [](Counter counter, Gate gate) {
                counter.add();
                gate.wait();
                return 1;
            },
            begun, open));
    }
    begun.wait_for(2);
    wait_for_workers(pool, 2);
    for (int i = 0; i < 10; ++i) {  // the supervisor looks around meanwhile
        CHECK(pool.apply([] { return 5; }) == 5);
        wait_for_workers(pool, 2);
    }
    open.set();
    CHECK(long_ones[0].get() + long_ones[1].get() == 2);
    wait_for_workers(pool, 1);
    CHECK(pool.stats().workers_died == 0);
}

TEST_CASE("idle: a task of a task brings a worker back") {
    SharedPage page;
    Pool pool{PoolOptions{.workers = 3, .idle_timeout = 10ms}};
    wait_for_workers(pool, 1);
    const Meeting both{page, 2};
    const auto outer = snapshot([both] {
        auto inner = this_worker::submit([](Meeting m) { m.arrive_and_wait(); }, both);
        both.arrive_and_wait();  // without helping it
        inner.get();
        return 3;
    });
    CHECK(pool.apply(outer) == 3);
}

TEST_CASE("idle: tasks that others have made ready bring workers back") {
    SharedPage page;
    Pool pool{PoolOptions{.workers = 4, .idle_timeout = 10ms}};
    const Gate open{page};
    const Meeting three{page, 3};
    auto first = pool.apply_async(
                         [](Gate gate) {
                             gate.wait();
                             return 1;
                         },
                         open)
                     .share();
    std::vector<Future<int>> after;
    for (int i = 0; i < 3; ++i) {
        after.push_back(pool.apply_async(
            [](int x, Meeting m) {
                m.arrive_and_wait();
                return x;
            },
            first, three));
    }
    wait_for_workers(pool, 1);
    open.set();
    for (auto& one : after) { CHECK(one.get() == 1); }
}

TEST_CASE("idle: a task for a worker that has left brings it back") {
    Pool pool{PoolOptions{.workers = 4, .idle_timeout = 5ms}};
    for (int round = 0; round < 5; ++round) {
        wait_for_workers(pool, 1);
        CHECK(pool.apply_on(3, [] { return this_worker::index(); }) == 3);
    }
}

TEST_CASE("idle: nothing is lost however tasks come") {
    std::mt19937 random{new_seed()};
    const bool kills = GENERATE(false, true);
    const std::size_t recycled_after = GENERATE(std::size_t{0}, std::size_t{5});
    CAPTURE(kills, recycled_after);
    Pool pool{PoolOptions{.workers = 4, .max_tasks_per_worker = recycled_after, .idle_timeout = 1ms, .min_workers = 1}};
    for (int round = 0; round < 300; ++round) {
        std::vector<Future<int>> futures;
        const int count = std::uniform_int_distribution{0, 12}(random);
        for (int i = 0; i < count; ++i) {
            futures.push_back(pool.apply_async(
                TaskOptions{.retries = 1000}, [](int x) { return x + 1; }, i));
        }
        if (kills && round % 7 == 0) {
            const auto workers = pool.workers();
            if (!workers.empty()) { ::kill(workers[random() % workers.size()].pid, SIGKILL); }
        }
        for (int i = 0; i < count; ++i) { CHECK(futures[static_cast<std::size_t>(i)].get() == i + 1); }
        if (round % 10 == 0) {
            const std::size_t left = std::uniform_int_distribution<std::size_t>{1, 4}(random);
            wait_until([&] { return pool.workers().size() <= left; }, "some to leave");
        }
    }
    if (!kills) { CHECK(pool.stats().workers_died == 0); }
}

TEST_CASE("idle: a burst of a hundred thousand tasks on a pool that has shrunk") {
    Pool pool{PoolOptions{.workers = 4, .idle_timeout = 10ms}};
    wait_for_workers(pool, 1);
    std::vector<int> numbers(100'000);
    std::iota(numbers.begin(), numbers.end(), 0);
    std::vector<Future<int>> futures;
    futures.reserve(numbers.size());
    for (const int x : numbers) {
        futures.push_back(pool.apply_async([](int y) { return 3 * y; }, x));
    }
    int wrong = 0;
    for (const int x : numbers) { wrong += futures[static_cast<std::size_t>(x)].get() == 3 * x ? 0 : 1; }
    CHECK(wrong == 0);
    CHECK(pool.stats().workers_died == 0);
    wait_for_workers(pool, 1);
    CHECK(pool.map([](int x) { return x; }, numbers) == numbers);
}

TEST_CASE("idle: a pool may end or be reforked while workers are away") {
    for (int round = 0; round < 8; ++round) {
        Pool pool{PoolOptions{.workers = 3, .idle_timeout = 1ms}};
        wait_for_workers(pool, 1);
        std::vector<Future<int>> futures;
        for (int i = 0; i < 20; ++i) {
            futures.push_back(pool.apply_async([](int x) { return x; }, i));
        }
        if (round % 2 == 0) { pool.refork(); }
        if (round % 4 == 1) {
            pool.terminate();
            pool.join();
            continue;
        }
        pool.close();
        pool.join();
        for (int i = 0; i < 20; ++i) { CHECK(futures[static_cast<std::size_t>(i)].get() == i); }
    }
}

TEST_CASE("idle: a supervisor without tasks and with as few workers as may be sleeps") {
    Pool pool{PoolOptions{.workers = 3, .idle_timeout = 5ms}};
    wait_for_workers(pool, 1);
    const pid_t supervisor = pool.apply([] { return ::getppid(); });
    const auto wakes = [&] {
        const std::string status = text_of_file("/proc/" + std::to_string(supervisor) + "/status");
        return std::stol(status.substr(status.find("voluntary_ctxt_switches:") + 24));
    };
    // Its look at who is idle ends with the last one who leaves.
    wait_until(
        [&] {
            const long before = wakes();
            std::this_thread::sleep_for(100ms);
            return wakes() - before <= 1;
        },
        "the supervisor to sleep");
}

TEST_CASE("idle: sizes and idleness together") {
    SharedPage page;
    Pool pool{PoolOptions{.workers = 2, .grow_to = 6, .idle_timeout = 10ms, .min_workers = 2}};
    pool.resize(6);
    wait_for_workers(pool, 2);
    CHECK(pool.size() == 6);
    meet(pool, page, 6);
    pool.resize(1);
    wait_for_workers(pool, 1);
    pool.resize(3);
    meet(pool, page, 3);
    wait_for_workers(pool, 2);
}

TEST_CASE("idle: threads stay", "[thread]") {
    ThreadPool pool{PoolOptions{.workers = 3, .idle_timeout = 1ms}};
    for (int i = 0; i < 100; ++i) {
        CHECK(pool.apply([] { return 1; }) == 1);
    }
    CHECK(pool.workers().size() == 3);
}

}  // namespace

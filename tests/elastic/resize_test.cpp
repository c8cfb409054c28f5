// SPDX-License-Identifier: BSL-1.0
#include "elastic/sizes.hpp"

#include <atomic>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

using Catch::Matchers::Contains;

std::size_t descriptors_of(pid_t pid) {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
        ++count;
    }
    return count;
}

template <class P>
void grows_and_shrinks() {
    SharedPage page;
    P pool{PoolOptions{.workers = 2, .grow_to = 6}};
    CHECK(pool.size() == 2);
    pool.resize(6);
    CHECK(pool.size() == 6);
    wait_for_workers(pool, 6);
    const Meeting all{page, 6};
    const auto meet = snapshot([all] {
        all.arrive_and_wait();
        return this_worker::index();
    });
    std::vector<Future<std::size_t>> met;
    for (int i = 0; i < 6; ++i) { met.push_back(pool.apply_async(meet)); }
    std::set<std::size_t> indexes;
    for (auto& one : met) { indexes.insert(one.get()); }
    CHECK(indexes.size() == 6);
    CHECK(*indexes.rbegin() == 5);
    pool.resize(1);
    CHECK(pool.size() == 1);
    wait_for_workers(pool, 1);
    CHECK(pool.workers().at(0).index == 0);
    CHECK(pool.broadcast([] { return this_worker::index(); }) == std::vector<std::size_t>{0});
    pool.resize(3);
    CHECK(pool.broadcast([] { return this_worker::index(); }) == std::vector<std::size_t>{0, 1, 2});
    CHECK_THROWS_WITH(pool.apply_on(3, [] {}), Contains("only those from 0 to 2"));
}
ON_ENGINES_WITH_WORKERS("resize: workers come and go", grows_and_shrinks)

template <class P>
void refuses_sizes() {
    P pool{PoolOptions{.workers = 2, .grow_to = 4}};
    CHECK_THROWS_AS(pool.resize(0), std::invalid_argument);
    CHECK_THROWS_WITH(pool.resize(5), Contains("resize() to 5") && Contains("1 to 4") && Contains("grow_to"));
    CHECK(pool.size() == 2);
    P fixed{2};
    CHECK_THROWS_AS(fixed.resize(3), std::invalid_argument);
    fixed.resize(1);
    CHECK(fixed.size() == 1);
    CHECK(fixed.apply([] { return 1; }) == 1);
    pool.close();
    CHECK_THROWS_AS(pool.resize(3), PoolClosed);
    CHECK_THROWS_AS((P{PoolOptions{.workers = 4, .grow_to = 3}}), std::invalid_argument);
    CHECK_THROWS_AS((P{PoolOptions{.grow_to = PoolOptions::max_workers + 1}}), std::invalid_argument);
    CHECK_THROWS_AS((P{PoolOptions{.workers = 2, .min_workers = 0}}), std::invalid_argument);
    CHECK_THROWS_AS((P{PoolOptions{.workers = 2, .min_workers = 3}}), std::invalid_argument);
    CHECK_THROWS_AS((P{PoolOptions{.workers = 2, .idle_timeout = -1ms}}), std::invalid_argument);
    CHECK_THROWS_AS((P{PoolOptions{.workers = 2, .pin = static_cast<Pin>(7)}}), std::invalid_argument);
}
ON_ENGINES_WITH_WORKERS("resize: sizes that cannot be are refused", refuses_sizes)

TEST_CASE("resize: an inline pool has its one worker") {
    InlinePool pool{PoolOptions{.workers = 4, .grow_to = 8}};
    CHECK(pool.size() == 1);
    pool.resize(1);
    pool.resize(8);  // a program on AnyPool is the same on all engines
    CHECK(pool.size() == 1);
    CHECK_THROWS_AS(pool.resize(0), std::invalid_argument);
}

template <class P>
void finishes_what_runs() {
    SharedPage page;
    const Gate begun{page};
    const Gate open{page};
    const Counter finalized{page};
    P pool{PoolOptions{.workers = 2, .finalizer = [finalized] { finalized.add(); }}};
    auto last = pool.apply_on_async(
        1,
        [](Gate started, Gate gate) {
            started.set();
            gate.wait();
            return 7;
        },
        begun, open);
    begun.wait();
    auto mail = pool.apply_on_async(1, [] { return this_worker::index(); });
    pool.resize(1);
    for (int i = 0; i < 100; ++i) {
        CHECK(pool.apply([] { return this_worker::index(); }) == 0);
    }
    CHECK(finalized.value() == 0);
    open.set();
    CHECK(last.get() == 7);
    CHECK(mail.get() == 1);
    wait_for_workers(pool, 1);
    if (has_processes<P>()) { finalized.wait_for(1); }
    CHECK(pool.stats().workers_died == 0);
    CHECK(pool.stats().workers_recycled == 0);
}
ON_ENGINES_WITH_WORKERS("resize: who leaves finishes what it runs and what is for it alone", finishes_what_runs)

/// Tasks of several kinds, while the pool is resized again and again.
template <class P>
void loses_nothing(const PoolOptions& options, int rounds, bool kills) {
    std::mt19937 random{new_seed()};
    P pool{options};
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> done{0};
    std::string error;
    std::thread submitter{[&] {
        try {
            while (!stop.load()) {
                std::vector<Future<int>> futures;
                for (int i = 0; i < 50; ++i) {
                    futures.push_back(pool.apply_async(
                        TaskOptions{.retries = 1000}, [](int x) { return 2 * x; }, i));
                }
                for (int i = 0; i < 50; ++i) {
                    if (futures[static_cast<std::size_t>(i)].get() != 2 * i) { error = "a wrong result"; }
                }
                done += 50;
            }
        } catch (const std::exception& thrown) { error = thrown.what(); }
    }};
    std::thread broadcaster{[&] {
        try {
            while (!stop.load()) {
                try {
                    const auto indexes = pool.broadcast([] { return this_worker::index(); });
                    for (std::size_t i = 0; i < indexes.size(); ++i) {
                        if (indexes[i] != i) { error = "a wrong index"; }
                    }
                } catch (const WorkerDied&) {
                    if (!kills) { throw; }
                }
            }
        } catch (const std::exception& thrown) { error = thrown.what(); }
    }};
    for (int round = 0; round < rounds; ++round) {
        pool.resize(std::uniform_int_distribution<std::size_t>{1, options.grow_to}(random));
        if (round % 20 == 0) {
            const std::size_t before = done.load();
            wait_until([&] { return done.load() != before || !error.empty(); }, "tasks to go on");
        }
        if (kills && round % 5 == 0) {
            const auto workers = pool.workers();
            if (!workers.empty()) { ::kill(workers[random() % workers.size()].pid, SIGKILL); }
        }
    }
    stop.store(true);
    submitter.join();
    broadcaster.join();
    CHECK(error.empty());
    INFO(error);
    pool.resize(2);
    wait_until([&] { return pool.workers().size() <= 2; }, "workers to go");
    if (options.idle_timeout.count() == 0) { wait_for_workers(pool, 2); }
    if (!kills) { CHECK(pool.stats().workers_died == 0); }
    CHECK(pool.map([](int x) { return x; }, std::vector<int>{1, 2, 3}) == std::vector<int>{1, 2, 3});
}

template <class P>
void loses_nothing_under_load() {
    loses_nothing<P>(PoolOptions{.workers = 3, .grow_to = 5}, 1000, false);
}
ON_ENGINES_WITH_WORKERS("resize: a thousand times under load loses nothing", loses_nothing_under_load)

TEST_CASE("resize: nothing is lost while workers are recycled") {
    loses_nothing<Pool>(PoolOptions{.workers = 3, .max_tasks_per_worker = 7, .grow_to = 5}, 200, false);
}

TEST_CASE("resize: nothing is lost while workers are killed") {
    loses_nothing<Pool>(PoolOptions{.workers = 3, .grow_to = 5}, 300, true);
}

TEST_CASE("resize: nothing is lost while idle workers leave") {
    loses_nothing<Pool>(PoolOptions{.workers = 3, .grow_to = 5, .idle_timeout = 1ms}, 300, true);
}

template <class P>
void serves_a_call_under_way() {
    SharedPage page;
    const Gate begun{page};
    const Meeting three{page, 3};
    P pool{PoolOptions{.workers = 1, .grow_to = 3}};
    std::thread grower{[&] {
        begun.wait();
        pool.resize(3);
    }};
    const auto meet = snapshot([begun, three](int x) {
        begun.set();
        three.arrive_and_wait();
        return x;
    });
    const std::vector<int> items{0, 1, 2};
    CHECK(pool.map(MapOptions{.chunk_size = 1}, meet, items) == items);
    grower.join();
}
ON_ENGINES_WITH_WORKERS("resize: new workers help with a call under way", serves_a_call_under_way)

TEST_CASE("resize: who shrinks leaves no process and no descriptor behind") {
    Pool pool{PoolOptions{.workers = 1, .grow_to = 16}};
    CHECK(pool.apply([] { return 1; }) == 1);
    const pid_t supervisor = pool.apply([] { return ::getppid(); });
    const std::size_t before = descriptors_of(supervisor);
    const std::size_t own = descriptors_of(::getpid());
    pool.resize(16);
    wait_for_workers(pool, 16);
    const auto all = pool.workers();
    pool.resize(1);
    for (const WorkerInfo& worker : all) {
        if (worker.index != 0) {
            wait_until([&] { return !is_alive(worker.pid); }, "a worker's end");
        }
    }
    wait_for_workers(pool, 1);
    CHECK(descriptors_of(supervisor) == before);
    CHECK(descriptors_of(::getpid()) == own);
    wait_until([&] { return board_of(pool).control.orders.glance().nothing(); }, "workers to be told nothing");
}

TEST_CASE("resize: parts of a range stay with the workers that had them") {
    Pool pool{PoolOptions{.workers = 4, .grow_to = 6}};
    const auto sum_of = [](const std::vector<int>& part) {
        int sum = 0;
        for (const int x : part) { sum += x; }
        return sum;
    };
    const std::vector<int> numbers{1, 2, 3, 4, 5, 6, 7, 8};
    auto lost = pool.scatter(numbers);
    auto remade = pool.scatter(ScatterOptions{.remake = true}, numbers);
    pool.resize(6);
    CHECK(lost.apply(sum_of) == std::vector<int>{3, 7, 11, 15});
    pool.resize(2);
    wait_for_workers(pool, 2);
    CHECK_THROWS_AS(lost.apply(sum_of), PartLost);
    CHECK(remade.apply(sum_of) == std::vector<int>{3, 7, 11, 15});
    wait_for_workers(pool, 2);
    CHECK(pool.scatter(numbers).size() == 2);
}

TEST_CASE("resize: a reforked pool keeps its size") {
    Pool pool{PoolOptions{.workers = 1, .grow_to = 4}};
    pool.resize(3);
    pool.refork();
    CHECK(pool.size() == 3);
    CHECK(pool.broadcast([] { return this_worker::index(); }) == std::vector<std::size_t>{0, 1, 2});
    pool.resize(2);
    wait_for_workers(pool, 2);
}

TEST_CASE("resize: a task of one for whom it was meant runs though its worker is gone") {
    Pool pool{PoolOptions{.workers = 1, .grow_to = 2}};
    for (int round = 0; round < 50; ++round) {
        pool.resize(2);
        auto there = pool.apply_on_async(1, [] { return this_worker::index(); });
        pool.resize(1);
        CHECK(there.get() == 1);
    }
    wait_for_workers(pool, 1);
}

template <class P>
void ends_while_it_changes() {
    SharedPage page;
    for (int round = 0; round < 30; ++round) {
        P pool{PoolOptions{.workers = 2, .grow_to = 4}};
        std::vector<Future<int>> futures;
        for (int i = 0; i < 20; ++i) {
            futures.push_back(pool.apply_async([](int x) { return x; }, i));
        }
        pool.resize(round % 4 + 1);
        if (round % 3 == 0) {
            pool.terminate();
            pool.join();
            continue;
        }
        pool.close();
        pool.join();
        for (int i = 0; i < 20; ++i) { CHECK(futures[static_cast<std::size_t>(i)].get() == i); }
    }
}
ON_ENGINES_WITH_WORKERS("resize: a pool may end while it changes", ends_while_it_changes)

TEST_CASE("resize: a thread that is not wanted lets waiting tasks run", "[thread]") {
    ThreadPool pool{3};
    pool.resize(1);
    wait_for_workers(pool, 1);
    CHECK(pool.apply([&] { return pool.apply([&] { return pool.apply([] { return 3; }); }); }) == 3);
    pool.resize(2);
    CHECK(pool.apply([&] { return pool.apply([] { return 4; }); }) == 4);
}

TEST_CASE("resize: threads that rest end with a pool that breaks", "[thread]") {
    std::atomic<int> made{0};
    std::atomic<bool> may_fail{false};
    ThreadPool pool{PoolOptions{.workers = 2,
                                .initializer =
                                    [&] {
                                        if (++made < 3) { return; }
                                        while (!may_fail.load()) { std::this_thread::yield(); }
                                        throw std::runtime_error("no third");
                                    },
                                .grow_to = 3}};
    pool.broadcast([] {});
    pool.resize(3);
    wait_until([&] { return made.load() == 3; }, "the third thread");
    pool.resize(1);
    for (int i = 0; i < 100; ++i) {
        CHECK(pool.apply([] { return this_worker::index(); }) == 0);
    }
    // The second one sleeps then, as far as one can see.
    wait_until([&] { return board_of(pool).sleeping.was_size() <= 1; }, "a thread to rest");
    may_fail.store(true);
    wait_until([&] { return board_of(pool).control.life.load() == detail::task::Life::broken; }, "the pool to break");
    pool.join();
    CHECK_THROWS_AS(pool.apply([] {}), PoolBroken);
}

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/broadcast.hpp>

#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <atomic>
#include <csignal>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

std::size_t index_here() { return this_worker::index(); }

std::vector<std::size_t> indices(std::size_t workers) {
    std::vector<std::size_t> all(workers);
    for (std::size_t i = 0; i < workers; ++i) { all[i] = i; }
    return all;
}

template <class P>
void once_in_every_worker() {
    for (const std::size_t workers : {1, 2, 5}) {
        SharedPage page;
        const Counter ran{page};
        P pool{workers};
        CHECK(pool.broadcast(index_here) == indices(pool.size()));
        for (int round = 1; round <= 50; ++round) {
            const auto results =
                pool.broadcast(snapshot([ran](int n, const std::string& text) {
                                   ran.add();
                                   return text + std::to_string(n) + ":" + std::to_string(this_worker::index());
                               }),
                               round, "x");
            REQUIRE(results.size() == pool.size());
            for (std::size_t i = 0; i < pool.size(); ++i) {
                REQUIRE(results[i] == "x" + std::to_string(round) + ":" + std::to_string(i));
            }
        }
        CHECK(ran.value() == static_cast<std::int64_t>(50 * pool.size()));
        pool.broadcast(snapshot([ran] { ran.add(); }));
        static_assert(std::is_void_v<decltype(pool.broadcast([] {}))>);
        CHECK(ran.value() == static_cast<std::int64_t>(51 * pool.size()));
        CHECK(pool.broadcast([] { return true; }) == std::vector<bool>(pool.size(), true));
        CHECK(pool.broadcast([](std::stop_token stop) { return stop.stop_possible(); }) ==
              std::vector<bool>(pool.size(), true));
    }
}
ON_EVERY_ENGINE("broadcast runs exactly once in every worker by index", once_in_every_worker)

TEST_CASE("broadcast reaches every process") {
    Pool pool{4};
    const auto pids = pool.broadcast(::getpid);
    CHECK(std::set<pid_t>(pids.begin(), pids.end()).size() == 4);
    const auto workers = pool.workers();
    for (std::size_t i = 0; i < 4; ++i) { CHECK(workers[i].pid == pids[i]); }
    CHECK(pool.broadcast(::getpid) == pids);
}

template <class P>
void waits_for_the_busy() {
    SharedPage page;
    const Gate may_end{page};
    const Counter started{page};
    const Counter ran{page};
    P pool{3};
    auto busy = pool.apply_async(snapshot([=] {
        started.add();
        may_end.wait();
        return this_worker::index();
    }));
    started.wait_for(1);
    std::atomic<bool> over{false};
    std::vector<std::size_t> results;
    std::thread caller{[&] {
        results = pool.broadcast(snapshot([ran] {
            ran.add();
            return this_worker::index();
        }));
        over = true;
    }};
    ran.wait_for(2);
    std::this_thread::sleep_for(20ms);
    CHECK_FALSE(over);
    CHECK(ran.value() == 2);
    for (int i = 0; i < 100; ++i) {
        CHECK(pool.apply([] { return 1; }) == 1);
    }  // others go on
    may_end.set();
    caller.join();
    CHECK(results == indices(3));
    CHECK(get_soon(busy) < 3);
}
ON_ENGINES_WITH_WORKERS("broadcast waits for busy workers and for no others", waits_for_the_busy)

template <class P>
void all_at_once() {
    SharedPage page;
    const Meeting together{page, 4};
    P pool{4};
    CHECK(pool.broadcast(snapshot([together] {
        together.arrive_and_wait();
        return this_worker::index();
    })) == indices(4));
}
ON_ENGINES_WITH_WORKERS("a broadcast runs in all workers at the same time", all_at_once)

template <class P>
void with_a_backlog() {
    P pool{2};
    std::vector<Future<int>> futures;
    for (int i = 0; i < 1000; ++i) {
        futures.push_back(pool.apply_async(
            [](int n) {
                std::this_thread::sleep_for(100us);
                return n;
            },
            i));
    }
    CHECK(pool.broadcast(index_here) == indices(pool.size()));
    int sum = 0;
    for (auto& future : futures) { sum += get_soon(future); }
    CHECK(sum == 499500);
}
ON_EVERY_ENGINE("a broadcast overtakes what is queued and costs nothing of it", with_a_backlog)

template <class P>
void from_many_threads() {
    P pool{3};
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int round = 0; round < 50; ++round) {
                right += pool.broadcast(index_here) == indices(pool.size());
                right += pool.apply([] { return 1; });
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(right == 400);
}
ON_EVERY_ENGINE("four threads broadcast on one pool", from_many_threads)

template <class P>
void throws_the_lowest() {
    SharedPage page;
    const Counter ran{page};
    P pool{3};
    try {
        pool.broadcast(snapshot([ran]() -> int {
            if (this_worker::index() == 0) { std::this_thread::sleep_for(20ms); }
            ran.add();
            throw std::out_of_range(std::to_string(this_worker::index()));
        }));
        CHECK(false);
    } catch (const std::out_of_range& error) { CHECK(std::string{error.what()} == "0"); }
    CHECK(ran.value() == static_cast<std::int64_t>(pool.size()));
    CHECK(pool.broadcast(index_here) == indices(pool.size()));
    pool.close();
    CHECK_THROWS_AS(pool.broadcast(index_here), PoolClosed);
}
ON_EVERY_ENGINE("a broadcast throws the error of the lowest index - after all have ended", throws_the_lowest)

TEST_CASE("a worker that dies before it starts the broadcast is replaced by one that runs it") {
    SharedPage page;
    const Gate may_end{page};
    const Counter started{page};
    const Counter ran{page};
    Pool pool{2};
    auto busy = pool.apply_async(snapshot([=] {
        started.add();
        may_end.wait();
    }));
    started.wait_for(1);
    pid_t victim = 0;
    for (const WorkerInfo& worker : pool.workers()) {
        if (worker.busy) { victim = worker.pid; }
    }
    REQUIRE(victim > 1);
    std::vector<pid_t> pids;
    std::thread caller{[&] {
        pids = pool.broadcast(snapshot([ran] {
            ran.add();
            return ::getpid();
        }));
    }};
    ran.wait_for(1);
    send_signal(victim, SIGKILL);
    caller.join();
    CHECK_THROWS_AS(get_soon(busy), WorkerDied);
    CHECK(ran.value() == 2);
    CHECK(std::count(pids.begin(), pids.end(), victim) == 0);
    may_end.set();
}

TEST_CASE("workers that die in idleness while broadcasts come: each runs exactly once in every index") {
    SharedPage page;
    const Counter ran{page};
    Pool pool{3};
    std::atomic<bool> over{false};
    std::thread killer{[&] {
        while (!over) {
            for (const WorkerInfo& worker :
                 pool.workers()) {  // not those that start: too many of their deaths break the pool
                if (!over && worker.tasks_done > 0) { send_signal(worker.pid, SIGKILL); }
                std::this_thread::sleep_for(2ms);
            }
        }
    }};
    std::int64_t died = 0;
    const int rounds = static_cast<int>(times(100));
    for (int round = 0; round < rounds; ++round) {
        try {
            const bool right = pool.broadcast(index_here) == indices(3);  // CHECK would catch what it throws
            CHECK(right);
        } catch (const WorkerDied&) { ++died; }  // it was running it
    }
    over = true;
    killer.join();
    CHECK(died < rounds);
    CHECK(pool.broadcast(index_here) == indices(3));
}

TEST_CASE("a worker that dies in the broadcast: WorkerDied after the others have finished") {
    SharedPage page;
    const Counter ran{page};
    Pool pool{3};
    for (int round = 1; round <= 3; ++round) {
        CHECK_THROWS_AS(pool.broadcast(snapshot([ran] {
            if (this_worker::index() == 1) { ::raise(SIGKILL); }
            std::this_thread::sleep_for(20ms);
            ran.add();
        })),
                        WorkerDied);
        CHECK(ran.value() == 2 * round);
        CHECK(pool.broadcast(index_here) == indices(3));
    }
    CHECK(pool.stats().workers_died == 3);
}

TEST_CASE("RCY broadcasts beside recycling") {
    for (const std::size_t limit : {1, 2, 3}) {
        CAPTURE(limit);
        Pool pool{{.workers = 2, .max_tasks_per_worker = limit}};
        for (int round = 0; round < 30; ++round) {
            CHECK(pool.broadcast(index_here) == indices(2));
            if (round % 3 == 0) {
                CHECK(pool.map([](int i) { return i; }, std::vector<int>{1, 2, 3}).size() == 3);
            }
        }
        CHECK(pool.stats().workers_died == 0);
    }
}

TEST_CASE("a pool that is closed in a broadcast finishes it also if its workers are worn out or dead by then") {
    for (const std::size_t limit : {0, 1}) {
        CAPTURE(limit);
        SharedPage page;
        const Gate may_end{page};
        const Counter started{page};
        const Counter ran{page};
        Pool pool{{.workers = 2, .max_tasks_per_worker = limit}};
        std::vector<Future<void>> busy;
        for (int i = 0; i < 2; ++i) {
            busy.push_back(pool.apply_async(snapshot([=](bool dies) {
                                                started.add();
                                                may_end.wait();
                                                if (dies) { ::raise(SIGKILL); }
                                            }),
                                            i == 0));
        }
        started.wait_for(2);
        std::vector<std::size_t> results;
        std::thread caller{[&] {
            results = pool.broadcast(snapshot([ran] {
                ran.add();
                return this_worker::index();
            }));
        }};
        wait_until([&] { return pool.stats().submitted == 4; }, "the broadcast");
        pool.close();
        may_end.set();
        caller.join();
        CHECK(results == indices(2));
        CHECK(pool.join_for(wait_limit));
    }
}

template <class P>
void terminated() {
    SharedPage page;
    const Counter started{page};
    const Gate may_end{page};
    P pool{{.workers = 2, .terminate_grace = 0ms}};
    auto busy = pool.apply_async(snapshot([=] {
        started.add();
        may_end.wait();
    }));
    started.wait_for(1);
    std::atomic<bool> refused{false};
    std::thread caller{[&] {
        try {
            pool.broadcast(index_here);
        } catch (const PoolTerminated&) { refused = true; }
    }};
    wait_until([&] { return pool.stats().submitted == 3; }, "the broadcast");
    pool.terminate();
    caller.join();
    CHECK(refused);
    may_end.set();
}
ON_ENGINES_WITH_WORKERS("a pool that is terminated in a broadcast ends it", terminated)

TEST_CASE("a broadcast with room for one task only") {
    Pool pool{{.workers = 3, .queue_capacity = 1}};
    CHECK(pool.broadcast(index_here) == indices(3));
}

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <atomic>
#include <csignal>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

std::size_t index_here() { return this_worker::index(); }

/// How often this worker has been here.
int count_here() {
    thread_local int calls = 0;
    return ++calls;
}

/// The numbers that this worker has been given.
std::vector<int>& noted_here() {
    thread_local std::vector<int> notes;
    return notes;
}

template <class P>
void runs_there() {
    P pool{3};
    for (int round = 1; round <= 50; ++round) {
        for (std::size_t i = 0; i < pool.size(); ++i) {
            REQUIRE(pool.apply_on(i, index_here) == i);
            REQUIRE(pool.apply_on(i, count_here) == round);
            REQUIRE(pool.apply_on(
                        {.label = "x"}, i, [](const std::string& text) { return text + "!"; }, "y") == "y!");
        }
    }
    static_assert(std::is_void_v<decltype(pool.apply_on(0, [] {}))>);
    CHECK(pool.apply_on(0, [](std::stop_token stop) { return stop.stop_possible(); }));
    CHECK_THROWS_AS(pool.apply_on(0, fail, 1), std::out_of_range);
    CHECK(pool.apply_on_async(0, same, 7).get() == 7);
}
ON_EVERY_ENGINE("apply_on runs on the worker of that index - whose state stays", runs_there)

template <class P>
void refuses() {
    P pool{2};
    CHECK_THROWS_AS(pool.apply_on(pool.size(), same, 1), std::invalid_argument);
    CHECK_THROWS_AS(pool.apply_on_async(static_cast<std::size_t>(-1), same, 1), std::invalid_argument);
    CHECK_THROWS_AS(pool.apply_on({.timeout = -1s}, 0, same, 1), std::invalid_argument);
    CHECK_THROWS_AS(pool.apply_on({.priority = 7}, 0, same, 1), std::invalid_argument);
    CHECK(pool.stats().submitted == 0);
    pool.close();
    CHECK_THROWS_AS(pool.apply_on(0, same, 1), PoolClosed);
}
ON_EVERY_ENGINE("apply_on refuses an index beyond the workers - bad options - and a closed pool", refuses)

template <class P>
void in_order() {
    P pool{2};
    const std::size_t last = pool.size() - 1;
    std::vector<Future<void>> futures;
    for (int i = 0; i < 2000; ++i) {
        futures.push_back(pool.apply_on_async(
            last, [](int n) { noted_here().push_back(n); }, i));
    }
    const auto notes = pool.apply_on(last, [] { return noted_here(); });
    REQUIRE(notes.size() == 2000);
    for (int i = 0; i < 2000; ++i) { REQUIRE(notes[static_cast<std::size_t>(i)] == i); }
    wait_all(futures);
}
ON_EVERY_ENGINE("tasks for one worker run in the order of their submission", in_order)

template <class P>
void waits_for_its_worker() {
    SharedPage page;
    const Gate may_end{page};
    const Counter started{page};
    P pool{2};
    auto busy = pool.apply_on_async(0, snapshot([=] {
                                        started.add();
                                        may_end.wait();
                                    }));
    started.wait_for(1);
    std::vector<Future<std::size_t>> first;
    for (int i = 0; i < 10; ++i) { first.push_back(pool.apply_on_async(0, index_here)); }
    for (int i = 0; i < 100; ++i) { REQUIRE(pool.apply_on(1, index_here) == 1); }
    for (int i = 0; i < 100; ++i) { REQUIRE(pool.apply(index_here) == 1); }
    for (const auto& future : first) { CHECK_FALSE(future.ready()); }
    may_end.set();
    for (auto& future : first) { CHECK(get_soon(future) == 0); }
    get_soon(busy);
}
ON_ENGINES_WITH_WORKERS("tasks for a busy worker wait for it and keep no other from working", waits_for_its_worker)

template <class P>
void overtakes() {
    SharedPage page;
    const Gate may_end{page};
    const Counter started{page};
    const Counter ran{page};
    P pool{1};
    auto busy = pool.apply_async(snapshot([=] {
        started.add();
        may_end.wait();
    }));
    started.wait_for(1);
    auto queued = pool.apply_async({.priority = 3}, snapshot([ran] { return ran.add(); }));
    auto given = pool.apply_on_async(0, snapshot([ran] { return ran.add(); }));
    may_end.set();
    CHECK(get_soon(given) == 1);
    CHECK(get_soon(queued) == 2);
    get_soon(busy);
}
ON_ENGINES_WITH_WORKERS("a task for one worker goes before the queue", overtakes)

template <class P>
void from_many_threads() {
    P pool{3};
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&, t] {
            for (std::size_t round = 0; round < 100; ++round) {
                const std::size_t worker = (static_cast<std::size_t>(t) + round) % pool.size();
                right += pool.apply_on(worker, index_here) == worker;
                if (round % 10 == 0) { right += static_cast<int>(pool.broadcast(count_here).size() == pool.size()); }
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(right == 6 * 110);
}
ON_EVERY_ENGINE("six threads give tasks to workers and broadcast", from_many_threads)

template <class P>
void cancelled() {
    SharedPage page;
    const Gate may_end{page};
    const Counter started{page};
    const Counter ran{page};
    P pool{2};
    auto busy = pool.apply_on_async(1, snapshot([=] {
                                        started.add();
                                        may_end.wait();
                                    }));
    started.wait_for(1);
    std::vector<Future<std::int64_t>> futures;
    for (int i = 0; i < 100; ++i) {
        futures.push_back(pool.apply_on_async(1, snapshot([ran] { return ran.add(); })));
    }
    for (std::size_t i = 0; i < 100; i += 2) { CHECK(futures[i].cancel()); }
    may_end.set();
    for (std::size_t i = 0; i < 100; ++i) {
        if (i % 2 == 0) {
            CHECK_THROWS_AS(get_soon(futures[i]), TaskCancelled);
        } else {
            CHECK(get_soon(futures[i]) == static_cast<std::int64_t>(i / 2 + 1));
        }
    }
    get_soon(busy);
}
ON_ENGINES_WITH_WORKERS("a task for a busy worker can be withdrawn", cancelled)

template <class P>
void withdrawn_again_and_again() {
    SharedPage page;
    const Gate may_end{page};
    const Counter started{page};
    P pool{{.workers = 2, .queue_capacity = 4}};
    auto busy = pool.apply_on_async(0, snapshot([=] {
                                        started.add();
                                        may_end.wait();
                                    }));
    started.wait_for(1);
    auto kept = pool.apply_on_async(0, same, 1);
    for (int i = 0; i < 1000; ++i) {  // more offers than the ring of the worker has places
        REQUIRE(pool.apply_on_async(0, same, i).cancel());
    }
    auto last = pool.apply_on_async(0, same, 2);
    may_end.set();
    CHECK(get_soon(kept) == 1);
    CHECK(get_soon(last) == 2);
    get_soon(busy);
}
ON_ENGINES_WITH_WORKERS("withdrawn tasks for one worker leave room for others", withdrawn_again_and_again)

template <class P>
void in_a_task() {
    P pool{2};
    P* const same_pool = &pool;
    CHECK_THROWS_AS(pool.apply([same_pool] { return same_pool->apply_on(0, same, 1); }), std::system_error);
    CHECK_THROWS_AS(pool.apply_on(0, [same_pool] { return same_pool->apply_on_async(0, same, 1).get(); }),
                    std::system_error);
    CHECK(pool.apply_on(0, same, 1) == 1);
}
#if !defined(__SANITIZE_ADDRESS__)
ON_THREADS("a task cannot give its pool's workers tasks", in_a_task)
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
ON_INLINE("a task cannot give its pool's workers tasks", in_a_task)
#endif

TEST_CASE("a task that waits for room in a queue full of tasks for its own worker is told so", "[thread]") {
    SharedPage page;
    const Gate may_submit{page};
    const Counter started{page};
    ThreadPool pool{{.workers = 2, .queue_capacity = 2}};
    auto submitter = pool.apply_on_async(0, [=, to = &pool] {
        started.add();
        may_submit.wait();
        return to->apply_async(same, 1).get();
    });
    started.wait_for(1);
    auto given = pool.apply_on_async(0, same, 2);
    may_submit.set();
    CHECK_THROWS_AS(get_soon(submitter), std::system_error);
    CHECK(get_soon(given) == 2);
}

TEST_CASE("a worker dies before it starts tasks for it: its replacement runs them") {
    SharedPage page;
    const Counter started{page};
    Pool pool{2};
    auto busy = pool.apply_on_async(1, snapshot([=] {
                                        started.add();
                                        ::pause();
                                    }));
    started.wait_for(1);
    std::vector<Future<int>> futures;
    for (int i = 0; i < 20; ++i) { futures.push_back(pool.apply_on_async(1, count_here)); }
    CHECK(busy.kill());
    for (int i = 0; i < 20; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)]) == i + 1); }
    CHECK_THROWS_AS(get_soon(busy), TaskCancelled);
    CHECK(pool.apply_on(1, index_here) == 1);
}

TEST_CASE("a worker dies in a task for it: WorkerDied - and its index is filled again") {
    Pool pool{2};
    for (int round = 0; round < 5; ++round) {
        CHECK_THROWS_AS(pool.apply_on(1, [] { return ::raise(SIGKILL); }), WorkerDied);
        CHECK(pool.apply_on(1, count_here) == 1);
        CHECK(pool.apply_on(0, count_here) == round + 1);
    }
}

TEST_CASE("a task for one worker that runs again does so on its index - before later ones") {
    SharedPage page;
    const Counter tries{page};
    const Counter order{page};
    Pool pool{3};
    auto again = pool.apply_on_async({.retries = 3}, 2, snapshot([=] {
                                         if (tries.add() < 4) { ::raise(SIGKILL); }
                                         order.add();
                                         return this_worker::index();
                                     }));
    auto later = pool.apply_on_async(2, snapshot([=] { return order.add(); }));
    CHECK(get_soon(again) == 2);
    CHECK(get_soon(later) == 2);
    CHECK(tries.value() == 4);
    CHECK_THROWS_AS(pool.apply_on({.retries = 2}, 1, [] { ::raise(SIGKILL); }), WorkerDied);
    CHECK(pool.stats().retried == 5);
}

TEST_CASE("a task for one worker times out") {
    Pool pool{2};
    CHECK_THROWS_AS(pool.apply_on({.timeout = 20ms}, 1, [] { ::pause(); }), TaskTimedOut);
    SharedPage page;
    const Counter tries{page};
    Pool late{2};  // sees the page
    CHECK(late.apply_on({.timeout = 50ms, .retries = 1}, 1, snapshot([tries] {
                            if (tries.add() == 1) { ::pause(); }
                            return this_worker::index();
                        })) == 1);
}

TEST_CASE("RCY tasks for one worker beside recycling") {
    for (const std::size_t limit : {1, 2, 3}) {
        CAPTURE(limit);
        Pool pool{{.workers = 2, .max_tasks_per_worker = limit}};
        std::vector<Future<std::size_t>> futures;
        for (std::size_t i = 0; i < 60; ++i) { futures.push_back(pool.apply_on_async(i % 2, index_here)); }
        for (std::size_t i = 0; i < 60; ++i) { CHECK(get_soon(futures[i]) == i % 2); }
        for (std::size_t i = 0; i < 10; ++i) { CHECK(pool.apply_on(i % 2, index_here) == i % 2); }
        CHECK(pool.stats().workers_died == 0);
    }
}

template <class P>
void closed() {
    SharedPage page;
    const Gate may_end{page};
    P pool{2};
    std::vector<Future<std::size_t>> futures;
    for (std::size_t i = 0; i < 40; ++i) {
        futures.push_back(pool.apply_on_async(i % pool.size(), snapshot([may_end] {
                                                  may_end.wait();
                                                  return this_worker::index();
                                              })));
    }
    pool.close();
    may_end.set();
    for (std::size_t i = 0; i < 40; ++i) { CHECK(get_soon(futures[i]) == i % pool.size()); }
    CHECK(pool.join_for(wait_limit));
}
ON_ENGINES_WITH_WORKERS("a closed pool finishes tasks for one worker", closed)

TEST_CASE("a closed pool finishes tasks for a worker that dies") {
    SharedPage page;
    const Counter started{page};
    Pool pool{2};
    auto busy = pool.apply_on_async(1, snapshot([=] {
                                        started.add();
                                        ::pause();
                                    }));
    started.wait_for(1);
    auto first = pool.apply_on_async(1, [] { ::raise(SIGKILL); });
    auto second = pool.apply_on_async(1, count_here);
    pool.close();
    CHECK(busy.kill());
    CHECK_THROWS_AS(get_soon(first), WorkerDied);
    CHECK(get_soon(second) == 1);
    CHECK(pool.join_for(wait_limit));
}

template <class P>
void terminated() {
    SharedPage page;
    const Counter started{page};
    const Gate may_end{page};
    P pool{{.workers = 2, .terminate_grace = 0ms}};
    auto busy = pool.apply_on_async(0, snapshot([=] {
                                        started.add();
                                        may_end.wait();
                                    }));
    started.wait_for(1);
    std::vector<Future<int>> futures;
    for (int i = 0; i < 10; ++i) { futures.push_back(pool.apply_on_async(0, same, i)); }
    pool.terminate();
    for (auto& future : futures) { CHECK_THROWS_AS(get_soon(future), PoolTerminated); }
    may_end.set();
    CHECK(pool.join_for(wait_limit));
}
ON_ENGINES_WITH_WORKERS("a pool that is terminated ends tasks for one worker", terminated)

TEST_CASE("tasks for one worker run on the new one after refork") {
    SharedPage page;
    const Counter started{page};
    const Gate may_end{page};
    Pool pool{2};
    auto busy = pool.apply_on_async(1, snapshot([=] {
                                        started.add();
                                        may_end.wait();
                                        return ::getpid();
                                    }));
    started.wait_for(1);
    std::vector<Future<pid_t>> futures;
    for (int i = 0; i < 10; ++i) { futures.push_back(pool.apply_on_async(1, ::getpid)); }
    std::thread forks{[&] { pool.refork(); }};
    wait_until([&] { return pool.workers().size() < 2; }, "the idle worker to leave");
    may_end.set();
    forks.join();
    const pid_t before = get_soon(busy);
    const pid_t now = pool.apply_on(1, ::getpid);
    CHECK(now != before);
    for (auto& future : futures) { CHECK(get_soon(future) == now); }
}

TEST_CASE("apply_on with room for one task only") {
    Pool pool{{.workers = 3, .queue_capacity = 1}};
    for (std::size_t i = 0; i < 30; ++i) { CHECK(pool.apply_on(i % 3, index_here) == i % 3); }
}

TEST_CASE("eight threads give tasks and broadcast while workers die") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    Pool pool{3};
    std::atomic<bool> over{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            std::mt19937 random{seed + t};
            std::vector<std::pair<std::size_t, Future<std::size_t>>> open;
            const auto settle_all = [&] {
                for (auto& [worker, future] : open) {
                    try {
                        wrong += get_soon(future) != worker;
                    } catch (const WorkerDied&) {  // it was running it
                    } catch (const TaskCancelled&) {}
                }
                open.clear();
            };
            for (std::size_t round = 0; round < times(300); ++round) {
                const std::size_t worker = random() % 3;
                try {
                    switch (random() % 8) {
                        case 0: wrong += pool.broadcast(index_here) != std::vector<std::size_t>{0, 1, 2}; break;
                        case 1: wrong += pool.apply_on({.retries = 50}, worker, index_here) != worker; break;
                        case 2: wrong += pool.apply_on(worker, index_here) != worker; break;
                        case 3: settle_all(); break;
                        case 4: wrong += pool.apply(same, 1) != 1; break;
                        default:
                            open.emplace_back(worker, pool.apply_on_async(worker, index_here));
                            if (random() % 8 == 0) { open.back().second.kill(); }
                    }
                } catch (const WorkerDied&) {}
            }
            settle_all();
        });
    }
    std::thread killer{[&] {
        std::mt19937 random{seed};
        while (!over) {
            for (const WorkerInfo& worker : pool.workers()) {
                // not those that start: too many of their deaths break the pool
                if (random() % 3 == 0 && worker.tasks_done > 0) { send_signal(worker.pid, SIGKILL); }
            }
            std::this_thread::sleep_for(3ms);
        }
    }};
    for (std::thread& thread : threads) { thread.join(); }
    over = true;
    killer.join();
    CHECK(wrong == 0);
    CHECK(pool.broadcast(index_here) == std::vector<std::size_t>{0, 1, 2});
}

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"

#include <procpool/future/shared_future.hpp>
#include <procpool/future/when_all.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

// Futures as arguments: the end of pools and workers while tasks wait for tasks; dropped futures; tasks within tasks.

namespace {

using namespace procpool_test;

int life_counted(Counter calls, int n) {
    calls.add();
    return n + 1;
}
int life_gate(Gate open, int n) {
    open.wait(60s);
    return n;
}

template <class P>
void closed_with_blocked() {
    SharedPage page;
    const Gate open{page};
    const Counter calls{page};
    P pool{2};
    auto chain = pool.apply_async(life_gate, open, 0);
    for (int n = 0; n < 50; ++n) { chain = pool.apply_async(life_counted, calls, std::move(chain)); }
    auto fan_root = pool.apply_async(life_gate, open, 5).share();
    std::vector<Future<int>> fan;
    for (int n = 0; n < 50; ++n) { fan.push_back(pool.apply_async(life_counted, calls, fan_root)); }
    auto sum = pool.apply_async([](const std::vector<int>& all) { return all.size() + static_cast<unsigned>(all[0]); },
                                when_all(std::move(fan)));
    pool.close();
    CHECK_THROWS_AS(pool.apply_async(life_counted, calls, fan_root), PoolClosed);
    CHECK(calls.value() == 0);
    open.set();
    pool.join();
    CHECK(chain.ready());
    CHECK(get_soon(chain) == 50);
    CHECK(get_soon(sum) == 56);
    CHECK(calls.value() == 100);
}
ON_ENGINES_WITH_WORKERS("a closed pool runs the tasks that wait for others to their end", closed_with_blocked)

template <class P>
void closed_with_all_workers() {
    SharedPage page;
    const Gate open{page};
    const Meeting meeting{page, 3};
    P pool{3};
    const SharedFuture<int> root = pool.apply_async(life_gate, open, 0).share();
    std::vector<Future<int>> together;
    for (int n = 0; n < 3; ++n) {
        together.push_back(pool.apply_async(
            [](Meeting all, int m) {
                all.arrive_and_wait();
                return m;
            },
            meeting, root));
    }
    wait_until([&] { return root.running(); }, "the first task to run");
    pool.close();
    // Time for workers to leave, if they did; they must not, whenever they look.
    std::this_thread::sleep_for(20ms);
    open.set();
    for (Future<int>& one : together) { CHECK(get_soon(one) == 0); }
    pool.join();
}
ON_ENGINES_WITH_WORKERS("workers of a closed pool stay for the tasks that wait for others", closed_with_all_workers)

template <class P>
void destroyed_with_dropped() {
    SharedPage page;
    const Gate open{page};
    const Counter calls{page};
    {
        P pool{2};
        auto first = has_workers<P>() ? pool.apply_async(life_gate, open, 0) : pool.apply_async(same, 0);
        const SharedFuture<int> root = std::move(first).share();
        for (int n = 0; n < 20; ++n) {
            static_cast<void>(
                pool.apply_async(life_counted, calls,
                                 pool.apply_async(life_counted, calls, pool.apply_async(life_counted, calls, root))));
        }
        std::vector<Future<int>> parts;
        for (int n = 0; n < 20; ++n) { parts.push_back(pool.apply_async(life_counted, calls, root)); }
        static_cast<void>(pool.apply_async([](Counter count, const std::vector<int>&) { count.add(); }, calls,
                                           when_all(std::move(parts))));
        open.set();
    }
    CHECK(calls.value() == 81);
}
ON_EVERY_ENGINE("tasks whose last future is dropped run all the same", destroyed_with_dropped)

template <class P>
void ended_with_blocked(bool by_kill) {
    SharedPage page;
    const Gate never{page};
    const Counter calls{page};
    std::vector<Future<int>> lost;
    SharedFuture<int> root;
    {
        P pool{PoolOptions{.workers = 1, .terminate_grace = 100ms}};
        root = pool.apply_async(
                       [](const std::stop_token& stop, Gate gate) {
                           wait_until([&] { return gate.is_set() || stop.stop_requested(); }, "the end", 60s);
                           return 0;
                       },
                       never)
                   .share();
        wait_until([&] { return root.running(); }, "the task to run");
        auto chain = pool.apply_async(life_counted, calls, root);
        for (int n = 0; n < 20; ++n) { chain = pool.apply_async(life_counted, calls, std::move(chain)); }
        lost.push_back(std::move(chain));
        for (int n = 0; n < 20; ++n) { lost.push_back(pool.apply_async(life_counted, calls, root)); }
        lost.push_back(pool.apply_async(same, 1));
        if (by_kill) {
            pool.kill();
        } else {
            pool.terminate();
        }
        for (Future<int>& one : lost) { CHECK_THROWS_AS(get_soon(one), PoolTerminated); }
        pool.join();
        const PoolStats stats = pool.stats();
        CHECK(stats.unobserved == 0);
    }
    CHECK(calls.value() == 0);
}
template <class P>
void terminated_with_blocked() {
    ended_with_blocked<P>(false);
}
template <class P>
void killed_with_blocked() {
    ended_with_blocked<P>(true);
}
ON_ENGINES_WITH_WORKERS("terminate() ends the tasks that wait for others in PoolTerminated", terminated_with_blocked)
ON_ENGINES_WITH_WORKERS("kill() ends the tasks that wait for others in PoolTerminated", killed_with_blocked)

template <class P>
void results_outlive_the_pool() {
    Future<std::string> last;
    {
        P pool{1};
        last = pool.apply_async([](const std::string& text) { return text + text; },
                                pool.apply_async([] { return std::string(50'000, 'w'); }));
    }
    CHECK(get_soon(last) == std::string(100'000, 'w'));
}
ON_EVERY_ENGINE("the result of a task that has waited outlives the pool", results_outlive_the_pool)

template <class P>
void statistics_add_up() {
    SharedPage page;
    const Counter calls{page};
    P pool{2};
    for (int round = 0; round < 20; ++round) {
        const SharedFuture<int> good = pool.apply_async(same, round).share();
        const SharedFuture<int> bad = pool.apply_async(fail, round).share();
        std::vector<Future<int>> all;
        for (int n = 0; n < 10; ++n) {
            all.push_back(pool.apply_async(life_counted, calls, good));
            all.push_back(pool.apply_async(life_counted, calls, bad));
            all.push_back(pool.apply_async(life_counted, calls, pool.apply_async(life_counted, calls, good)));
        }
        for (std::size_t n = 0; n < all.size(); n += 4) { static_cast<void>(all[n].cancel()); }
        wait_all(all);
    }
    pool.close();
    pool.join();
    const PoolStats stats = pool.stats();
    CHECK(stats.submitted == 20 * 42);
    CHECK(stats.submitted == stats.completed + stats.failed + stats.cancelled);
    CHECK(static_cast<std::uint64_t>(calls.value()) + 20 == stats.completed);
}
ON_EVERY_ENGINE("the counts of tasks that wait for others add up", statistics_add_up)

/// The pool whose tasks use it, in this process.
template <class P>
P* own_pool = nullptr;

template <class P>
int waits_for_chain(int length) {
    P& pool = *own_pool<P>;
    auto chain = pool.apply_async(same, 0);
    for (int n = 0; n < length; ++n) {
        chain = pool.apply_async([](int m) { return m + 1; }, std::move(chain));
    }
    return chain.get();
}
template <class P>
int waits_for_tree(int depth) {
    P& pool = *own_pool<P>;
    std::vector<Future<int>> level;
    for (int n = 0; n < (1 << depth); ++n) { level.push_back(pool.apply_async(same, 1)); }
    while (level.size() > 1) {
        std::vector<Future<int>> next;
        for (std::size_t i = 0; i < level.size(); i += 2) {
            next.push_back(
                pool.apply_async([](int a, int b) { return a + b; }, std::move(level[i]), std::move(level[i + 1])));
        }
        level = std::move(next);
    }
    auto end = pool.apply_async([](const std::vector<int>& all) { return all.at(0); }, when_all(std::move(level)));
    return end.get();
}

template <class P>
void within_tasks() {
    for (const std::size_t workers : {1, 2}) {
        P pool{workers};
        own_pool<P> = &pool;
        CHECK(get_soon(pool.apply_async(waits_for_chain<P>, 1)) == 1);
        CHECK(get_soon(pool.apply_async(waits_for_chain<P>, 300)) == 300);
        CHECK(get_soon(pool.apply_async(waits_for_tree<P>, 6)) == 64);
        std::vector<Future<int>> several;
        for (int n = 0; n < 6; ++n) { several.push_back(pool.apply_async(waits_for_chain<P>, 20 + n)); }
        int sum = 0;
        for (Future<int>& one : several) { sum += get_soon(one); }
        CHECK(sum == 135);
        // A task that has waited, and waits itself.
        CHECK(get_soon(pool.apply_async(waits_for_chain<P>, pool.apply_async(same, 7))) == 7);
        own_pool<P> = nullptr;
    }
    // Where the chain has not room enough, what it begins with is run to make some.
    for (const std::size_t capacity : {2U, 3U, 8U}) {
        P pool{PoolOptions{.workers = 1, .queue_capacity = capacity}};
        own_pool<P> = &pool;
        CHECK(get_soon(pool.apply_async(waits_for_chain<P>, 100)) == 100);
        CHECK(get_soon(pool.apply_async(waits_for_tree<P>, 5)) == 32);
        own_pool<P> = nullptr;
    }
}
TEST_CASE("a task waits for a chain that it has submitted to its pool of one worker - threads", "[thread]") {
    within_tasks<ThreadPool>();
}
TEST_CASE("a task waits for a chain that it has submitted to its pool - inline") { within_tasks<InlinePool>(); }

template <class P>
void guests_beside_linked() {
    P pool{2};
    const auto nested = [](int n) { return this_worker::submit([](int m) { return m * 2; }, n).get(); };
    std::vector<Future<int>> all;
    for (int n = 0; n < 100; ++n) { all.push_back(pool.apply_async(nested, pool.apply_async(nested, n))); }
    int sum = 0;
    for (Future<int>& one : all) { sum += get_soon(one); }
    CHECK(sum == 4 * 4950);
}
ON_EVERY_ENGINE("tasks that have waited submit tasks and wait for them", guests_beside_linked)

template <class P>
void linked_by_threads() {
    P pool{PoolOptions{.workers = 2, .queue_capacity = 128}};
    const SharedFuture<int> root = pool.apply_async(same, 1).share();
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, copy = root] {
            for (int round = 0; round < static_cast<int>(times(100)); ++round) {
                auto left = pool.apply_async([](int a, int b) { return a + b; }, copy, round);
                std::vector<Future<int>> parts;
                for (int n = 0; n < 5; ++n) {
                    parts.push_back(pool.apply_async([](int m) { return m; }, copy));
                }
                auto sum = pool.apply_async(
                    [](int a, const std::vector<int>& all) { return a + static_cast<int>(all.size()); },
                    std::move(left), when_all(std::move(parts)));
                right += sum.get() == round + 6 ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(right == 4 * static_cast<int>(times(100)));
}
ON_EVERY_ENGINE("threads submit tasks that wait for the same one", linked_by_threads)

TEST_CASE("workers are replaced between tasks that wait for each other") {
    Pool pool{PoolOptions{.workers = 2, .max_tasks_per_worker = 3}};
    auto chain = pool.apply_async(same, 0);
    for (int n = 0; n < 200; ++n) {
        chain = pool.apply_async([](int m) { return m + 1; }, std::move(chain));
    }
    const SharedFuture<int> root = pool.apply_async(same, 1).share();
    std::vector<Future<std::pair<int, pid_t>>> fan;
    for (int n = 0; n < 60; ++n) {
        fan.push_back(pool.apply_async([](int m) { return std::pair{m, ::getpid()}; }, root));
    }
    auto pids = pool.apply_async(
        [](const std::vector<std::pair<int, pid_t>>& all) {
            std::set<pid_t> set;
            for (const auto& [m, pid] : all) { set.insert(m == 1 ? pid : 0); }
            return set;
        },
        when_all(std::move(fan)));
    CHECK(get_soon(chain) == 200);
    const std::set<pid_t> seen = get_soon(pids);
    CHECK(seen.size() >= 20);
    CHECK(seen.count(0) == 0);
    CHECK(pool.stats().workers_died == 0);
    // The last task of a life makes others ready, and nobody else is awake.
    Pool single{PoolOptions{.workers = 1, .max_tasks_per_worker = 1}};
    auto steps = single.apply_async(same, 0);
    for (int n = 0; n < 20; ++n) {
        steps = single.apply_async([](int m) { return m + 1; }, std::move(steps));
    }
    CHECK(get_soon(steps) == 20);
    single.close();
    single.join();
}

TEST_CASE("a pool that recycles is closed with tasks that wait for each other") {
    Future<int> chain;
    {
        Pool pool{PoolOptions{.workers = 2, .max_tasks_per_worker = 2}};
        chain = pool.apply_async(same, 0);
        for (int n = 0; n < 60; ++n) {
            chain = pool.apply_async([](int m) { return m + 1; }, std::move(chain));
        }
        pool.close();
    }
    CHECK(get_soon(chain) == 60);
}

TEST_CASE("refork() leaves tasks that wait for others waiting") {
    static int setting = 1;
    SharedPage page;
    const Gate open{page};
    const Counter calls{page};
    Pool pool{2};
    auto first = pool.apply_async(life_gate, open, 0);
    const SharedFuture<int> root = std::move(first).share();
    wait_until([&] { return root.running(); }, "the task to run");
    auto chain = pool.apply_async(life_counted, calls, root);
    for (int n = 0; n < 20; ++n) { chain = pool.apply_async(life_counted, calls, std::move(chain)); }
    auto asks = pool.apply_async([](int n) { return n + setting; }, root);
    setting = 2;
    std::thread reforks{[&] { pool.refork(); }};
    open.set();
    reforks.join();
    CHECK(get_soon(chain) == 21);
    CHECK(get_soon(asks) > 0);
    // Results of the workers before are read by those after.
    CHECK(get_soon(pool.apply_async([](int n) { return n + setting; }, root)) == 2);
    setting = 1;
}

}  // namespace

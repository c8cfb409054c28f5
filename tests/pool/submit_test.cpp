// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

// this_worker::submit(): tasks that submit tasks to their own pool.

namespace {

using this_worker::submit;

std::uint64_t sum_of_leaves(unsigned n) {
    if (n < 2) { return n; }
    auto first = submit(sum_of_leaves, n - 1);
    auto second = submit(sum_of_leaves, n - 2);
    return first.get() + second.get();
}

void pause_for_ever(Gate begun) {
    begun.set();
    for (;;) { ::pause(); }
}

unsigned descend(unsigned levels) { return levels == 0 ? 0 : 1 + submit(descend, levels - 1).get(); }

template <class P>
void recursion() {
    for (const std::size_t workers : {1, 2, 3}) {
        P pool{workers};
        CHECK(pool.apply(sum_of_leaves, 11U) == 89);
        CHECK(pool.apply(descend, 60U) == 60);
        std::vector<Future<std::uint64_t>> several;
        for (unsigned n = 0; n < 10; ++n) { several.push_back(pool.apply_async(sum_of_leaves, n)); }
        std::uint64_t sum = 0;
        for (auto& one : several) { sum += get_soon(one); }
        CHECK(sum == 88);
    }
}
ON_EVERY_ENGINE("tasks that submit tasks and wait for them need no free worker", recursion)

template <class P>
void values_and_errors() {
    P pool{2};
    const auto values = [](std::size_t size) {
        std::vector<int> numbers(size);
        std::iota(numbers.begin(), numbers.end(), 1);
        const auto reversed = submit(
                                  [](std::vector<int> given) {
                                      std::reverse(given.begin(), given.end());
                                      return given;
                                  },
                                  numbers)
                                  .get();
        return std::equal(numbers.rbegin(), numbers.rend(), reversed.begin(), reversed.end());
    };
    for (const std::size_t size : {0, 1, 4, 20, 40, 1000, 20'000, 1'000'000}) { CHECK(pool.apply(values, size)); }
    const auto error_of = [] {
        try {
            submit(fail, 7).get();
        } catch (const std::out_of_range& error) { return std::string(error.what()); }
        return std::string();
    };
    CHECK(pool.apply(error_of) == "7");
    CHECK_THROWS_AS(pool.apply([] { return submit(fail, 8).get(); }), std::out_of_range);
    const auto nothing = [] { submit([] {}).get(); };
    CHECK_NOTHROW(pool.apply(nothing));
}
ON_EVERY_ENGINE("what a task submits gets its arguments; results and exceptions come back", values_and_errors)

template <class P>
void unread_results() {
    P pool{2};
    const auto many = [](int count) {
        std::vector<Future<int>> futures;
        for (int i = 0; i < count; ++i) { futures.push_back(submit(same, i)); }
        int right = 0;
        for (int i = 0; i < count; ++i) { right += futures[static_cast<std::size_t>(i)].get() == i ? 1 : 0; }
        return right;
    };
    CHECK(pool.apply(many, 3000) == 3000);
}
ON_EVERY_ENGINE("a task may leave more results unread than there is room for tasks", unread_results)

template <class P>
void dropped() {
    const Shared<std::atomic<int>> ran{0};
    {
        P pool{2};
        pool.apply([count = ran.get()] {
            for (int i = 0; i < 100; ++i) {
                static_cast<void>(submit([count] { ++*count; }));
            }
        });
    }
    CHECK(*ran == 100);
}
ON_EVERY_ENGINE("what a task submits and drops runs all the same - also when the pool is closed", dropped)

template <class P>
void closed_meanwhile() {
    SharedPage page;
    const Gate started{page};
    const Gate closed{page};
    P pool{2};
    auto whole = pool.apply_async(
        [](Gate begins, Gate goes_on) {
            begins.set();
            goes_on.wait();
            return sum_of_leaves(12);
        },
        started, closed);
    started.wait();
    pool.close();
    closed.set();
    CHECK(get_soon(whole) == 144);
    pool.join();
}
ON_ENGINES_WITH_WORKERS("a pool that is closed takes what its tasks submit", closed_meanwhile)

template <class P>
void several_waits() {
    P pool{2};
    const auto all = [] {
        std::vector<Future<int>> futures;
        for (int i = 0; i < 20; ++i) { futures.push_back(submit(same, i)); }
        wait_all(futures);
        const bool ready = std::all_of(futures.begin(), futures.end(), [](const auto& one) { return one.ready(); });
        for (int i = 20; i < 40; ++i) { futures.push_back(submit(same, i)); }
        std::vector<bool> seen(futures.size());
        for (const std::size_t position : as_completed(futures)) { seen[position] = true; }
        auto late = submit(same, 1);
        const bool in_time = late.wait_for(20s) == std::future_status::ready;
        return ready && in_time && wait_any(futures) < futures.size() &&
               std::all_of(seen.begin(), seen.end(), [](bool one) { return one; });
    };
    CHECK(pool.apply(all));
}
ON_EVERY_ENGINE("a task waits for several of its tasks in each way", several_waits)

template <class P>
void beside_maps() {
    P pool{2};
    auto deep = pool.apply_async(sum_of_leaves, 10U);
    std::vector<int> items(500);
    std::iota(items.begin(), items.end(), 0);
    CHECK(pool.map(same, items) == items);
    CHECK(pool.map([](int n) { return submit(same, n).get(); }, items) == items);
    CHECK(get_soon(deep) == 55);
}
ON_EVERY_ENGINE("items of a map submit tasks - and run beside tasks that do", beside_maps)

template <class P>
void numbers_and_labels() {
    P pool{2};
    const auto ids = [] {
        const auto label = [] { return this_task::id(); };
        const std::uint64_t first = submit(TaskOptions{.label = "child"}, label).get();
        return std::pair{first, submit(label).get()};
    };
    const auto [first, second] = pool.apply(ids);
    CHECK(first != second);
    CHECK(first != 0);
    CHECK_THROWS_AS(pool.apply([] { submit(TaskOptions{.priority = 9}, same, 1).get(); }), std::invalid_argument);
    CHECK(pool.stats().submitted == 4);
}
ON_EVERY_ENGINE("what tasks submit has a number of its own and is counted", numbers_and_labels)

}  // namespace

TEST_CASE("tasks nest and wait in larger numbers than there is room for") {
    for (const std::size_t workers : {1, 2}) {
        Pool pool{workers};
        std::vector<Future<unsigned>> deep;
        for (int i = 0; i < 3; ++i) { deep.push_back(pool.apply_async(descend, 1500U)); }
        for (auto& one : deep) { CHECK(get_soon(one) == 1500); }
        const auto wide = [](unsigned count, unsigned each) {
            std::vector<Future<unsigned>> futures;
            for (unsigned i = 0; i < count; ++i) {
                futures.push_back(submit(
                    [](unsigned many) {
                        std::vector<Future<unsigned>> inner;
                        for (unsigned k = 0; k < many; ++k) { inner.push_back(submit(descend, 2U)); }
                        unsigned sum = 0;
                        for (auto& one : inner) { sum += one.get(); }
                        return sum;
                    },
                    each));
            }
            unsigned sum = 0;
            for (auto& one : futures) { sum += one.get(); }
            return sum;
        };
        CHECK(pool.apply(wide, 100U, 30U) == 6000);
        CHECK(pool.apply(wide, 2U, 1500U) == 6000);
    }
}

TEST_CASE("the time limit of a task holds while it runs others that have one") {
    Pool pool{1};
    const auto busy = [] {
        for (;;) {
            submit(TaskOptions{.timeout = 10s}, [] { std::this_thread::sleep_for(5ms); }).get();
        }
    };
    auto future = pool.apply_async(TaskOptions{.timeout = 100ms}, busy);
    CHECK_THROWS_AS(get_soon(future), TaskTimedOut);
    CHECK(pool.apply(same, 1) == 1);
    CHECK(pool.stats().completed < 1'000'000);
}

TEST_CASE("wait_any() runs a pending task though another one is with another worker") {
    SharedPage page;
    const Gate runs{page};
    const Gate may_end{page};
    Pool pool{2};
    const auto any = [](Gate begun, Gate end) {
        std::vector<Future<void>> futures;
        futures.push_back(submit(
            [](Gate here, Gate until) {
                here.set();
                until.wait();
            },
            begun, end));
        begun.wait();  // so that the other worker is taken
        futures.push_back(submit([] {}));
        const std::size_t first = wait_any(futures);
        end.set();
        return first;
    };
    CHECK(pool.apply(any, runs, may_end) == 1);
}

TEST_CASE("only tasks submit to their own pool") {
    CHECK_THROWS_AS(submit(same, 1), std::logic_error);
    Pool pool{1};
    const auto in_thread = [] {
        bool refused = false;
        std::thread{[&] {
            try {
                static_cast<void>(submit(same, 1));
            } catch (const std::logic_error&) { refused = true; }
        }}.join();
        return refused;
    };
    CHECK(pool.apply(in_thread));
    CHECK_THROWS_AS(
        (Pool{PoolOptions{.workers = 1, .initializer = [] { static_cast<void>(submit(same, 1)); }}}.apply(same, 1)),
        PoolBroken);
}

TEST_CASE("the future of a worker's task has no callbacks") {
    Pool pool{1};
    const auto refused = [] {
        auto future = submit(same, 1);
        try {
            static_cast<void>(future.then(same));
        } catch (const std::logic_error&) { return future.get() == 1; }
        return false;
    };
    CHECK(pool.apply(refused));
}

TEST_CASE("a task cancels and kills what it has submitted") {
    SharedPage page;
    const Gate runs{page};
    Pool pool{2};
    const auto pending = [] {  // the other worker may have taken one
        std::vector<Future<int>> futures;
        for (int i = 0; i < 50; ++i) { futures.push_back(submit(same, i)); }
        std::size_t withdrawn = 0;
        std::size_t cancelled = 0;
        for (auto& future : futures) { withdrawn += future.cancel() ? 1 : 0; }
        for (auto& future : futures) {
            try {
                future.get();
            } catch (const TaskCancelled&) { ++cancelled; }
        }
        return withdrawn == cancelled;
    };
    CHECK(pool.apply(pending));
    const auto stopped = [](Gate gate) {
        auto future = submit(
            [](std::stop_token stop, Gate here) {
                here.set();
                wait_until([&] { return stop.stop_requested(); }, "the request");
                return 5;
            },
            gate);
        gate.wait();
        return !future.cancel() && future.get() == 5;
    };
    CHECK(pool.apply(stopped, runs));
    const Gate again{page};
    const auto killed = [](Gate gate) {
        auto future = submit(pause_for_ever, gate);
        gate.wait();
        const bool running = future.running();
        const bool was = future.kill();
        try {
            future.get();
        } catch (const TaskCancelled&) { return running && was && !future.kill(); }
        return false;
    };
    CHECK(pool.apply(killed, again));
}

TEST_CASE("a guest's task that crashes - hangs or is retried is told like any other") {
    SharedPage page;
    const Gate elsewhere{page};
    Pool pool{2};
    // The waiting task must not run it: a crash would take both.
    const auto crashes = [](Gate gate) {
        auto future = submit(
            TaskOptions{.label = "bad"},
            [](Gate here) {
                here.set();
                std::raise(SIGSEGV);
            },
            gate);
        gate.wait();
        try {
            future.get();
        } catch (const WorkerDied& died) {
            return std::pair{died.exit_status().signal(),
                             died.label() + (!under_sanitizer && died.backtrace().empty() ? " without" : "")};
        }
        return std::pair{0, std::string()};
    };
    CHECK(pool.apply(crashes, elsewhere) == std::pair{SIGSEGV, std::string("bad")});
    const Gate hangs_elsewhere{page};
    const auto hangs = [](Gate gate) {
        auto future = submit(TaskOptions{.timeout = 50ms}, pause_for_ever, gate);
        gate.wait();
        try {
            future.get();
        } catch (const TaskTimedOut& late) { return late.limit() == 50ms; }
        return false;
    };
    CHECK(pool.apply(hangs, hangs_elsewhere));
    const Shared<std::atomic<int>> attempts{0};
    const auto retried = [count = attempts.get()] {
        auto future = submit(TaskOptions{.retries = 2}, [count] {
            if (++*count < 3) { std::raise(SIGKILL); }
            return this_task::attempt();
        });
        wait_until([&] { return *count == 3; }, "other workers");
        return future.get();
    };
    CHECK(pool.apply(retried) == 2);
    CHECK(pool.stats().retried == 2);
}

TEST_CASE("tasks that submit go on while workers are recycled and reforked") {
    Pool pool{PoolOptions{.workers = 2, .max_tasks_per_worker = 3}};
    std::vector<Future<std::uint64_t>> trees;
    for (int i = 0; i < 10; ++i) { trees.push_back(pool.apply_async(sum_of_leaves, 8U)); }
    for (auto& tree : trees) { CHECK(get_soon(tree) == 21); }
    trees.clear();
    for (int i = 0; i < 10; ++i) { trees.push_back(pool.apply_async(sum_of_leaves, 10U)); }
    pool.refork();
    for (auto& tree : trees) { CHECK(get_soon(tree) == 55); }
}

TEST_CASE("what tasks submit is measured as other tasks are") {
    Pool pool{PoolOptions{.workers = 2, .latencies = true}};
    const auto many = [](int count) {
        for (int i = 0; i < count; ++i) { submit(same, i).get(); }
    };
    pool.apply(many, 100);
    CHECK(pool.stats().waiting.count == 101);
    CHECK(pool.stats().running.count == 101);
    pool.apply(many, 20'000);
    // Later ones stand for each other at random.
    CHECK(pool.stats().running.count > 10'000);
    CHECK(pool.stats().running.count < 40'000);
}

TEST_CASE("errors of what tasks submit and drop are counted as those that nobody took") {
    SharedPage page;
    Pool pool{2};
    // Decided before it is dropped; while it is pending, or runs; and killed.
    const auto drops = [](Gate runs, Gate goes_on) {
        submit(fail, 1).wait();
        static_cast<void>(submit(fail, 2));
        auto running = submit(
            [](Gate here, Gate until) {
                here.set();
                until.wait();
                fail(3);
            },
            runs, goes_on);
        runs.wait();
        { const auto dropped = std::move(running); }
        goes_on.set();
    };
    pool.apply(drops, Gate{page}, Gate{page});
    wait_until([&] { return pool.stats().failed == 3; }, "the last one");
    wait_until([&] { return pool.stats().unobserved == 3; }, "its end");
    const auto takes = [] {
        auto taken = submit(fail, 4);
        auto cancelled = submit(same, 1);
        static_cast<void>(cancelled.cancel());
        static_cast<void>(submit(same, 2));
        try {
            taken.get();
        } catch (const std::out_of_range&) {}
    };
    pool.apply(takes);
    pool.close();
    pool.join();
    CHECK(pool.stats().unobserved == 3);
}

TEST_CASE("terminating a pool ends tasks that wait for tasks") {
    for (const bool kills : {false, true}) {
        SharedPage page;
        const Gate waits{page};
        Pool pool{2};
        auto future = pool.apply_async([](Gate gate) { submit(pause_for_ever, gate).get(); }, waits);
        waits.wait();
        kills ? pool.kill() : pool.terminate();
        CHECK_THROWS_AS(get_soon(future), PoolTerminated);
        pool.join();
    }
}

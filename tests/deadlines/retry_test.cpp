// SPDX-License-Identifier: BSL-1.0
#include "faults/whole.hpp"

#include <numeric>
#include <string>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

void die() { ::kill(::getpid(), SIGKILL); }

TEST_CASE("DTH-28 a task whose worker dies runs again as often as it may - after the worker is dead") {
    Muster muster;
    SharedPage page;
    const Counter runs{page};
    const Counter previous{page};
    Pool pool{2};
    const auto task = [](Counter count, Counter before, unsigned deaths) {
        count.add();
        const auto dead = static_cast<pid_t>(before.value());
        if (this_task::attempt() != 0 && is_alive(dead)) { throw std::logic_error("the previous attempt is alive"); }
        before.add(::getpid() - dead);
        if (this_task::attempt() < deaths) { die(); }
        return this_task::attempt();
    };
    for (unsigned deaths = 0; deaths <= 3; ++deaths) {
        CHECK(get_soon(pool.apply_async(TaskOptions{.retries = deaths}, task, runs, previous, deaths), recovery) ==
              deaths);
    }
    CHECK(runs.value() == 1 + 2 + 3 + 4);
    CHECK(pool.stats().retried == 1 + 2 + 3);
    try {
        static_cast<void>(get_soon(
            pool.apply_async(TaskOptions{.retries = 2, .label = "deadly"}, task, runs, previous, 9U), recovery));
        FAIL("it cannot have ended well");
    } catch (const WorkerDied& died) {
        CHECK(died.label() == "deadly");
        CHECK(died.exit_status() == ExitStatus::from_signal(SIGKILL));
        CHECK(died.pid() == previous.value());
    }
    CHECK(runs.value() == 10 + 3);
    CHECK(pool.stats().workers_died == 6 + 3);
    require_whole(pool, muster);
}

TEST_CASE("DTH-28 an exception is a result: nothing runs again") {
    SharedPage page;
    const Counter runs{page};
    Pool pool{1};
    CHECK_THROWS_AS(pool.apply(
                        TaskOptions{.retries = 5},
                        [](Counter count) {
                            count.add();
                            throw std::out_of_range("x");
                        },
                        runs),
                    std::out_of_range);
    CHECK(runs.value() == 1);
}

TEST_CASE("a task that times out runs again and each attempt has its own deadline") {
    Muster muster;
    Pool pool{1};
    const auto start = std::chrono::steady_clock::now();
    CHECK(get_soon(pool.apply_async(TaskOptions{.timeout = 1s, .retries = 2},
                                    [] {  // the last attempt must be done in that time
                                        if (this_task::attempt() < 2) { spin_for_ever(); }
                                        std::this_thread::sleep_for(50ms);
                                        return this_task::attempt();
                                    })) == 2);
    CHECK(since(start) >= 2050ms);
    CHECK(pool.stats().retried == 2);
    CHECK(pool.stats().timed_out == 0);
    auto never =
        pool.apply_async(TaskOptions{.timeout = 20ms, .retries = 3, .label = "endless"}, [] { spin_for_ever(); });
    try {
        get_soon(never);
        FAIL("it cannot have ended");
    } catch (const TaskTimedOut& error) {
        CHECK(error.limit() == 20ms);
        CHECK(contains(error.what(), "endless"));
    }
    CHECK(pool.stats().retried == 5);
    CHECK(pool.stats().timed_out == 1);
    require_whole(pool, muster);
}

TEST_CASE("a large argument is there for every attempt and a half-written result of the first is gone") {
    Muster muster;
    Pool pool{2};
    const std::string text(3'000'000, 'x');
    std::vector<Future<std::string>> futures;
    for (int i = 0; i < 10; ++i) {
        futures.push_back(pool.apply_async(
            TaskOptions{.retries = 2},
            [](std::string value) {
                if (this_task::attempt() < 2) { die(); }
                return value + "y";
            },
            text));
    }
    for (auto& future : futures) { CHECK(get_soon(future) == text + "y"); }
    futures.clear();
    require_whole(pool, muster);
}

TEST_CASE("tasks that run again go before those that wait whatever their number") {
    Muster muster;
    SharedPage page;
    Pool pool{3};
    std::vector<Future<unsigned>> futures;
    for (int i = 0; i < 300; ++i) {
        futures.push_back(pool.apply_async(
            TaskOptions{.retries = 1},
            [](int n) {
                if (n % 3 == 0 && this_task::attempt() == 0) { die(); }
                return this_task::attempt();
            },
            i));
    }
    for (int i = 0; i < 300; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)]) == (i % 3 == 0 ? 1U : 0U)); }
    CHECK(pool.stats().retried == 100);
    CHECK(pool.stats().completed == 300);
    CHECK(pool.stats().failed == 0);
    futures.clear();
    require_whole(pool, muster);
}

TEST_CASE("a pool that is closed still runs tasks again - one that is terminated does not") {
    SharedPage page;
    const Counter runs{page};
    const auto task = [](Counter count) {
        count.add();
        if (this_task::attempt() < 2) { die(); }
        return 3;
    };
    {
        Pool pool{1};
        auto future = pool.apply_async(TaskOptions{.retries = 2}, task, runs);
        pool.close();
        CHECK(get_soon(future) == 3);
        CHECK(pool.join_for(recovery));
    }
    CHECK(runs.value() == 3);
    const Gate begun{page};
    Pool pool{1};
    auto future = pool.apply_async(
        TaskOptions{.retries = 100},
        [](Gate started, Counter count) {
            count.add();
            started.set();
            std::this_thread::sleep_for(100s);
        },
        begun, runs);
    begun.wait();
    pool.terminate();
    CHECK_THROWS_AS(get_soon(future, recovery), PoolTerminated);
    CHECK(pool.join_for(5 * recovery));
    CHECK(runs.value() == 4);
}

struct DiesOnce {
    Counter runs;
    int deadly;
    int operator()(int i) const {
        const auto count = runs.add();
        if (i == deadly && count <= deadly + 1) { die(); }
        return 10 * i;
    }
};

TEST_CASE("an item of a map whose worker dies runs again when it may and only it") {
    SharedPage page;
    std::vector<int> input(20);
    std::iota(input.begin(), input.end(), 0);
    std::vector<int> expected;
    for (const int i : input) { expected.push_back(10 * i); }
    for (const int deadly : {0, 1, 10, 19}) {
        const Counter runs{page};
        Pool pool{1};
        CHECK(pool.map(MapOptions{.chunk_size = 20, .retries = 1}, DiesOnce{runs, deadly}, input) == expected);
        CHECK(runs.value() == 21);
    }
}

TEST_CASE("each item of a map has attempts of its own and knows which one runs") {
    SharedPage page;
    const Counter runs{page};
    struct Step {
        Counter runs;
        unsigned operator()(unsigned i) const {
            runs.add();
            if (this_task::attempt() < i % 4) { die(); }
            return 10 * i + this_task::attempt();
        }
    };
    Pool pool{1};
    std::vector<unsigned> input(12);
    std::iota(input.begin(), input.end(), 0U);
    std::vector<unsigned> expected;
    for (const unsigned i : input) { expected.push_back(10 * i + i % 4); }
    CHECK(pool.map(MapOptions{.chunk_size = 4, .retries = 3}, Step{runs}, input) == expected);
    CHECK(runs.value() == 12 + 3 * 6);
    CHECK(pool.stats().workers_died == 3 * 6);
}

TEST_CASE("labels are told also when the error was put aside because its slot was needed") {
    Pool pool{PoolOptions{.workers = 1, .queue_capacity = 2}};
    auto died = pool.apply_async(TaskOptions{.label = "first"}, [] { die(); });
    auto late = pool.apply_async(TaskOptions{.timeout = 20ms, .label = "second"}, [] { spin_for_ever(); });
    for (int i = 0; i < 10; ++i) {
        CHECK(pool.apply([](int n) { return n; }, i) == i);
    }
    try {
        get_soon(died);
        FAIL("");
    } catch (const WorkerDied& error) {
        CHECK(error.label() == "first");
        CHECK(contains(error.what(), "first"));
    }
    CHECK_THROWS_WITH(get_soon(late), Catch::ContainsSubstring("second"));
    try {
        static_cast<void>(pool.map(
            MapOptions{.label = "third"},
            [](int i) {
                if (i == 5) { die(); }
                return i;
            },
            std::vector{1, 3, 5, 7}));
        FAIL("");
    } catch (const WorkerDied& error) {
        CHECK(contains(error.what(), "third"));
        CHECK(contains(error.what(), "item 2"));
    }
}

}  // namespace

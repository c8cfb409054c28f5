// SPDX-License-Identifier: BSL-1.0
#include "faults/whole.hpp"

#include <algorithm>
#include <future>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

using Milliseconds = std::chrono::milliseconds;

void spin_for(std::chrono::nanoseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {}
}
[[nodiscard]] TaskOptions limited(std::chrono::nanoseconds limit, unsigned retries = 0, std::string label = {}) {
    return {.timeout = limit, .retries = retries, .label = std::move(label)};
}
template <class T>
bool times_out(Future<T>& future, std::chrono::nanoseconds wait = recovery) {
    try {
        static_cast<void>(get_soon(future, wait));
    } catch (const TaskTimedOut&) { return true; }
    return false;
}

TEST_CASE("TMO-01 wait_for() returns in time and leaves the task alone") {
    SharedPage page;
    const Gate open{page};
    Pool pool{1};
    auto future = pool.apply_async(
        [](Gate gate) {
            gate.wait();
            return 49;
        },
        open);
    const auto start = std::chrono::steady_clock::now();
    CHECK(future.wait_for(100ms) == std::future_status::timeout);
    CHECK(since(start) >= 60ms);
    CHECK(since(start) < 5s);
    CHECK_FALSE(future.ready());
    open.set();
    CHECK(get_soon(future) == 49);
}

TEST_CASE("TMO-03 one item of a map is too slow: the error names it and the pool goes on") {
    Muster muster;
    Pool pool{2};
    const auto nap = [](int milliseconds) {
        std::this_thread::sleep_for(Milliseconds{milliseconds});
        return milliseconds;
    };
    const auto start = std::chrono::steady_clock::now();
    try {
        static_cast<void>(
            pool.map(MapOptions{.chunk_size = 1, .timeout = 1s, .label = "naps"}, nap, std::vector{0, 0, 20000}));
        FAIL("no item timed out");
    } catch (const TaskTimedOut& error) {
        CHECK(error.limit() == 1s);
        CHECK(contains(error.what(), "naps"));
        CHECK(contains(error.what(), "item 2"));
    }
    CHECK(since(start) < 1s + recovery);
    CHECK(pool.map(MapOptions{.timeout = 20s}, nap, std::vector{0, 1, 2}) == std::vector{0, 1, 2});
    require_whole(pool, muster);
}

TEST_CASE("TMO-04 a task that never yields is killed at its deadline - its worker is replaced") {
    Muster muster;
    Pool pool{1};
    const pid_t before = pool.apply(::getpid);
    const std::chrono::nanoseconds in_time = under_sanitizer ? 200ms : 125ms;
    std::chrono::nanoseconds best = 1h;
    std::size_t tasks = 0;
    for (; tasks < 5 || (tasks < 50 && best >= in_time); ++tasks) {  // a busy machine gets more chances
        const auto start = std::chrono::steady_clock::now();
        auto endless = pool.apply_async(limited(100ms), [] { spin_for_ever(); });
        CHECK(times_out(endless));
        CHECK(since(start) >= 100ms);
        best = std::min(best, since(start));
    }
    CHECK(best < in_time);
    CHECK(pool.apply(::getpid) != before);
    wait_until_gone(before);
    CHECK(pool.stats().timed_out == tasks);
    CHECK(pool.stats().failed == 0);
    require_whole(pool, muster);
}

TEST_CASE(
    "TMO-05 tasks that ignore or block SIGTERM - block everything - loop in a handler or are stopped are killed at "
    "their "
    "deadline") {
    Muster muster;
    const auto start = std::chrono::steady_clock::now();
    {
        Pool pool{2};
        std::vector<Future<void>> stubborn;
        stubborn.push_back(pool.apply_async(limited(200ms), [] {
            ::signal(SIGTERM, SIG_IGN);
            std::this_thread::sleep_for(100s);
        }));
        stubborn.push_back(pool.apply_async(limited(200ms), [] {
            sigset_t all;
            ::sigfillset(&all);
            ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
            spin_for_ever();
        }));
        stubborn.push_back(pool.apply_async(limited(200ms), [] {
            ::signal(SIGTERM, [](int) { spin_for_ever(); });
            ::raise(SIGTERM);
        }));
        stubborn.push_back(pool.apply_async(limited(200ms), [] { ::raise(SIGSTOP); }));
        for (Future<void>& future : stubborn) { CHECK(times_out(future)); }
        stubborn.clear();
        require_whole(pool, muster);
        CHECK(pool.stats().timed_out == 4);
    }
    CHECK(since(start) < 5 * recovery);
}

TEST_CASE("TMO-07 2000 tasks that take as long as they may: each ends once and the pool is whole", "[slow]") {
    Muster muster;
    SharedPage page;
    const Counter finished{page};
    Pool pool{2};
    std::size_t values = 0;
    std::size_t timeouts = 0;
    constexpr std::size_t count = under_sanitizer ? 200 : 2000;
    std::vector<Future<int>> futures;
    std::vector<int> calls(count);
    for (std::size_t i = 0; i < count; ++i) {
        futures.push_back(pool.apply_async(
            limited(1ms),
            [](Counter done, int n) {
                spin_for(1ms - std::chrono::microseconds{n % 5 * 10});
                done.add();
                return n;
            },
            finished, static_cast<int>(i)));
        futures.back().on_done([&calls, i] { ++calls[i]; });
    }
    for (std::size_t i = 0; i < count; ++i) {
        try {
            if (get_soon(futures[i]) != static_cast<int>(i)) { FAIL("a wrong result"); }
            ++values;
        } catch (const TaskTimedOut&) { ++timeouts; }
    }
    CHECK(values + timeouts == count);
    CHECK(std::ranges::count(calls, 1) == static_cast<std::ptrdiff_t>(count));
    CHECK(static_cast<std::size_t>(finished.value()) >= values);
    CHECK(pool.stats().timed_out == timeouts);
    CHECK(pool.stats().failed == 0);
    futures.clear();
    require_whole(pool, muster);
}

TEST_CASE("TMO-08 the deadline counts running time not the time in the queue") {
    Pool pool{1};
    std::vector<Future<int>> futures;
    for (int i = 0; i < 10; ++i) {
        futures.push_back(pool.apply_async(
            limited(2s),
            [](int n) {
                std::this_thread::sleep_for(300ms);
                return n;
            },
            i));
    }
    for (int i = 0; i < 10; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)]) == i); }
    CHECK(pool.stats().timed_out == 0);
}

TEST_CASE("TMO-08 the deadline of a map is per item whatever a chunk takes") {
    Pool pool{1};
    const auto nap = [](int i) {
        std::this_thread::sleep_for(200ms);
        return i;
    };
    std::vector<int> input(15);
    std::iota(input.begin(), input.end(), 0);
    CHECK(pool.map(MapOptions{.chunk_size = 15, .timeout = 2s}, nap, input) == input);
    CHECK(pool.stats().timed_out == 0);
}

TEST_CASE("an item of a map that is too slow is named and those before it are not run again") {
    SharedPage page;
    const Counter runs{page};
    Pool pool{1};
    std::vector<int> input(20);
    std::iota(input.begin(), input.end(), 0);
    struct Step {
        Counter runs;
        int operator()(int i) const {
            runs.add();
            if (i == 13 && this_task::attempt() == 0) { spin_for_ever(); }
            return i;
        }
    };
    CHECK_THROWS_WITH(pool.map(MapOptions{.chunk_size = 20, .timeout = 2s}, Step{runs}, input),
                      Catch::ContainsSubstring("item 13"));
    CHECK(runs.value() == 14);
}

TEST_CASE("a timed-out item of a map is run again when it may and only it") {
    SharedPage page;
    const Counter runs{page};
    Pool pool{1};
    std::vector<int> input(20);
    std::iota(input.begin(), input.end(), 0);
    struct Step {
        Counter runs;
        int operator()(int i) const {
            if (runs.add() == 14) { spin_for_ever(); }
            return i;
        }
    };
    CHECK(pool.map(MapOptions{.chunk_size = 20, .timeout = 2s, .retries = 1}, Step{runs}, input) == input);
    CHECK(runs.value() == 21);
}

TEST_CASE("a timeout never hits the next task", "[slow]") {
    Muster muster;
    Pool pool{1};
    std::mt19937 random{std::random_device{}()};
    constexpr int rounds = under_sanitizer ? 20 : 200;
    for (int round = 0; round < rounds; ++round) {
        auto close = pool.apply_async(
            limited(1ms), [](unsigned n) { spin_for(1ms - std::chrono::microseconds{n}); },
            static_cast<unsigned>(random() % 30));
        std::vector<Future<int>> next;
        for (int i = 0; i < 50; ++i) {
            const auto task = [](int n) { return n; };
            next.push_back(i % 2 == 0 ? pool.apply_async(task, i) : pool.apply_async(limited(30s), task, i));
        }
        for (int i = 0; i < 50; ++i) {
            if (get_soon(next[static_cast<std::size_t>(i)]) != i) { FAIL("a wrong result"); }
        }
        static_cast<void>(times_out(close));
    }
    CHECK(pool.stats().failed == 0);
    require_whole(pool, muster);
}

TEST_CASE("TMO-17 a call on stuck work returns fast and so does the end of the pool") {
    const auto start = std::chrono::steady_clock::now();
    {
        Pool pool{PoolOptions{.workers = 2, .terminate_grace = 100ms}};
        std::vector<Future<void>> stuck;
        for (int i = 0; i < 10; ++i) {
            stuck.push_back(pool.apply_async([] { std::this_thread::sleep_for(100s); }));
        }
        for (const Future<void>& future : stuck) { CHECK(future.wait_for(10ms) == std::future_status::timeout); }
        pool.terminate();
        for (Future<void>& future : stuck) { CHECK_THROWS_AS(get_soon(future, recovery), PoolTerminated); }
    }
    CHECK(since(start) < 5s);
}

TEST_CASE("hundreds of tasks with different deadlines run out when they should in any order") {
    Muster muster;
    Pool pool{4};
    std::vector<Future<void>> futures;
    const auto start = std::chrono::steady_clock::now();
    for (const int limit : {2000, 100, 300, 200}) {
        futures.push_back(pool.apply_async(limited(Milliseconds{limit}), [] { std::this_thread::sleep_for(100s); }));
    }
    std::vector<std::chrono::nanoseconds> ends(4);
    std::vector<std::thread> waiters;
    for (std::size_t i = 0; i < 4; ++i) {
        waiters.emplace_back([&, i] {
            futures[i].wait();
            ends[i] = since(start);
        });
    }
    for (std::thread& waiter : waiters) { waiter.join(); }
    CHECK(ends[0] >= 2s);
    CHECK(ends[1] >= 100ms);
    CHECK(ends[1] < 2s);  // it did not wait for the one before it
    CHECK(ends[2] >= 300ms);
    CHECK(ends[3] >= 200ms);
    CHECK(ends[0] < 2s + recovery);
    for (Future<void>& future : futures) { CHECK(times_out(future)); }
    futures.clear();
    require_whole(pool, muster);
}

TEST_CASE("a deadline that comes later than the clock can tell never comes") {
    Pool pool{1};
    CHECK(pool.apply(limited(std::chrono::nanoseconds::max()), [] { return 42; }) == 42);
    CHECK(pool.stats().timed_out == 0);
}

TEST_CASE("a pool with running deadlines uses no processor time") {
    SharedPage page;
    const Gate open{page};
    Pool pool{2};
    auto waits = pool.apply_async(
        limited(60s), [](Gate gate) { gate.wait(60s); }, open);
    const pid_t supervisor = [] {
        for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/task"}) {
            const std::string children = text_of_file(entry.path().string() + "/children");
            if (!children.empty()) { return std::atoi(children.c_str()); }
        }
        return 0;
    }();
    REQUIRE(supervisor > 0);
    const auto switches = [&] {
        return kilobytes_in("/proc/" + std::to_string(supervisor) + "/status", "voluntary_ctxt_switches");
    };
    wait_until([&] { return waits.running(); }, "the task to start");
    // The end of the pool's start may fall into the first of them; a loop that looks again and again has no quiet half
    // second.
    bool was_quiet = false;
    for (int i = 0; i < 10 && !was_quiet; ++i) {
        const long before = switches();
        REQUIRE(before >= 0);
        std::this_thread::sleep_for(500ms);
        was_quiet = switches() - before <= 2;
    }
    CHECK(was_quiet);
    open.set();
    get_soon(waits);
}

TEST_CASE("a timed-out task's large argument and half-written result are free again") {
    Muster muster;
    Pool pool{2};
    for (int i = 0; i < 5; ++i) {
        auto big = pool.apply_async(
            limited(100ms),
            [](const std::string& text) -> std::string {
                if (text.size() > 100) { spin_for_ever(); }
                return text;
            },
            std::string(3'000'000, 'x'));
        CHECK(times_out(big));
    }
    require_whole(pool, muster);
}

TEST_CASE("TMO-04 a thread's task is asked to stop at its deadline", "[thread]") {
    ThreadPool pool{1};
    auto polite = pool.apply_async(limited(50ms), [](std::stop_token stop) {
        while (!stop.stop_requested()) { std::this_thread::sleep_for(1ms); }
        return 1;
    });
    CHECK(polite.wait_for(wait_limit) == std::future_status::ready);
    try {
        static_cast<void>(polite.get());
    } catch (const TaskTimedOut&) {}
    CHECK(pool.apply([] { return 2; }) == 2);
}

}  // namespace

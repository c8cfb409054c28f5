// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <random>
#include <ranges>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace procpool_test;

int wait_for_gate(Gate gate, int n) {
    gate.wait();
    return n;
}

template <class Futures>
std::vector<std::size_t> positions(Futures& futures) {
    std::vector<std::size_t> all;
    for (const std::size_t at : as_completed(futures)) { all.push_back(at); }
    return all;
}

template <class P>
void all_and_any() {
    SharedPage page;
    const Gate gate{page};
    const Gate other_gate{page};
    P pool{2};
    P other{1};
    std::vector<Future<int>> futures;
    futures.push_back(pool.apply_async(wait_for_gate, gate, 0));
    futures.push_back(other.apply_async(wait_for_gate, other_gate, 1));
    futures.push_back(pool.apply_async(fail, 2));
    CHECK(wait_any(futures) == 2);
    CHECK_FALSE(wait_all_for(futures, 50ms));
    CHECK(futures[2].ready());
    CHECK_FALSE(futures[0].ready());
    futures.erase(futures.begin() + 2);
    std::thread opens{[&] {
        std::this_thread::sleep_for(20ms);
        other_gate.set();
    }};
    CHECK(wait_any(futures) == 1);  // asleep, and of another pool than the first
    opens.join();
    CHECK_FALSE(futures[0].ready());
    gate.set();
    wait_all(futures);
    CHECK(wait_all_for(futures, 0ms));
    CHECK(futures[0].get() == 0);
    wait_all(futures);  // a task whose result is taken has ended
    CHECK_THROWS_AS(wait_any(futures), std::future_error);
    CHECK_THROWS_AS(as_completed(futures), std::future_error);
}
ON_ENGINES_WITH_WORKERS("API-25 waiting for all and for any - of two pools", all_and_any)

template <class P>
void cancelled_ones_are_ready() {
    SharedPage page;
    const Gate gate{page};
    P pool{1};
    P other{1};
    std::vector<Future<int>> futures;
    futures.push_back(pool.apply_async(wait_for_gate, gate, 0));
    futures.push_back(other.apply_async(wait_for_gate, gate, 1));
    for (int i = 2; i < 5; ++i) { futures.push_back((i == 3 ? other : pool).apply_async(same, i)); }
    CHECK(futures[2].cancel());
    CHECK(wait_any(futures) == 2);
    auto completed = as_completed(futures);
    CHECK(*completed.begin() == 2);
    CHECK_FALSE(wait_all_for(futures, 0ms));
    std::size_t any = 0;
    std::vector<std::size_t> order;
    std::thread waits_for_any{[&] { any = wait_any(futures | std::views::drop(3)); }};
    std::thread waits_for_each{[&] { order = positions(futures); }};
    std::thread waits_for_all{[&] { wait_all(futures); }};
    CHECK(futures[3].cancel());
    waits_for_any.join();
    CHECK(any == 0);
    CHECK(futures[4].cancel());
    gate.set();
    waits_for_each.join();
    waits_for_all.join();
    CHECK(wait_all_for(futures, 0ms));
    REQUIRE(order.size() == 5);
    CHECK(std::set(order.begin(), order.end()).size() == 5);
    for (std::size_t i = 0; i < 2; ++i) { CHECK(futures[i].get() == static_cast<int>(i)); }
    for (std::size_t i = 2; i < 5; ++i) { CHECK_THROWS_AS(futures[i].get(), TaskCancelled); }
}
ON_ENGINES_WITH_WORKERS("API-25 cancelled futures are ready for wait_all/wait_any and as_completed",
                        cancelled_ones_are_ready)

template <class P>
void released_while_registering() {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    SharedPage page;
    const Counter round_open{page};
    P pool{2};
    for (std::int64_t round = 1; round <= static_cast<std::int64_t>(times(200)); ++round) {
        std::vector<Future<int>> futures;
        for (int i = 0; i < 100; ++i) {
            futures.push_back(pool.apply_async(
                [](Counter open, std::int64_t at, int n) {
                    open.wait_for(at);
                    return n;
                },
                round_open, round, i));
        }
        std::atomic<std::size_t> found{0};
        std::vector<std::thread> waiters;
        for (int i = 0; i < 2; ++i) {
            waiters.emplace_back([&] { found += positions(futures).size(); });
        }
        waiters.emplace_back([&] {
            wait_all(futures);
            found += 100;
        });
        for (auto spins = random() % 20000; spins > 0; --spins) { detail::relax(); }
        round_open.add();
        for (std::thread& waiter : waiters) { waiter.join(); }
        if (found != 300) { FAIL("a future was not found in round " << round); }
    }
    SUCCEED();
}
ON_ENGINES_WITH_WORKERS("API-25 a hundred futures are released while threads begin to wait for them",
                        released_while_registering)

template <class P>
void odd_ranges() {
    P pool{2};
    std::vector<Future<int>> none;
    wait_all(none);
    CHECK(wait_all_for(none, 0s));
    CHECK(positions(none).empty());
    CHECK_THROWS_AS(wait_any(none), std::invalid_argument);

    Future<int> one = pool.apply_async(same, 1);
    const std::vector<Future<int>*> thrice{&one, &one, &one};
    wait_all(thrice);
    CHECK(positions(thrice) == std::vector<std::size_t>{0, 1, 2});
    SharedPage page;
    if (has_workers<P>()) {
        P late{1};
        const Gate gate{page};
        Future<int> blocked = late.apply_async(wait_for_gate, gate, 1);
        std::vector<std::reference_wrapper<Future<int>>> twice{blocked, blocked};
        std::vector<std::size_t> found;
        std::thread waiter{[&] { found = positions(twice); }};
        std::this_thread::sleep_for(10ms);
        gate.set();
        waiter.join();
        std::ranges::sort(found);
        CHECK(found == std::vector<std::size_t>{0, 1});
    }
    std::list<std::shared_ptr<Future<int>>> shared;
    for (int i = 0; i < 10; ++i) { shared.push_back(std::make_shared<Future<int>>(pool.apply_async(same, i))); }
    CHECK(positions(shared).size() == 10);
    CHECK(wait_any(shared | std::views::drop(3)) == 0);
    CHECK(std::ranges::distance(as_completed(shared) | std::views::take(2)) == 2);
}
ON_EVERY_ENGINE("API-26 waiting for nothing for the same future again and through pointers", odd_ranges)

template <class P>
void limited_time() {
    SharedPage page;
    for (const auto limit : {0ms, 100ms}) {
        const Gate gate{page};
        P pool{2};
        std::vector<Future<int>> futures;
        futures.push_back(pool.apply_async(wait_for_gate, gate, 0));
        for (int i = 1; i < 4; ++i) { futures.push_back(pool.apply_async(same, i)); }
        wait_all(futures | std::views::drop(1));
        std::set<std::size_t> found;
        std::string text;
        std::size_t unfinished = 0;
        const auto start = std::chrono::steady_clock::now();
        try {
            for (const std::size_t at : as_completed(futures, limit)) { found.insert(at); }
        } catch (const WaitTimedOut& error) {
            text = error.what();
            unfinished = error.unfinished();
        }
        CHECK(since(start) >= limit);
        CHECK(since(start) < wait_limit / 2);  // the gate is shut until later
        CHECK(found == std::set<std::size_t>{1, 2, 3});
        CHECK(text == "procpool: 1 of 4 futures unfinished");
        CHECK(unfinished == 1);
        gate.set();
        for (int i = 0; i < 4; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)]) == i); }
    }
}
ON_ENGINES_WITH_WORKERS("API-27 as_completed() with a time limit yields what is done - then throws with counts",
                        limited_time)

template <class P>
void asked_again_after_the_time() {
    SharedPage page;
    const Gate first{page};
    const Gate second{page};
    P pool{2};
    std::vector<Future<int>> futures;
    futures.push_back(pool.apply_async(wait_for_gate, first, 0));
    futures.push_back(pool.apply_async(wait_for_gate, second, 1));
    auto completed = as_completed(futures, 0ms);
    std::vector<std::size_t> found;
    const auto go_through = [&] {
        for (const std::size_t at : completed) { found.push_back(at); }
    };
    CHECK_THROWS_AS(go_through(), WaitTimedOut);
    CHECK_THROWS_AS(go_through(), WaitTimedOut);
    CHECK(found.empty());
    first.set();
    futures[0].wait();
    CHECK_THROWS_AS(go_through(), WaitTimedOut);  // by ++
    CHECK(found == std::vector<std::size_t>{0});
    AsCompleted::Iterator next{completed};
    CHECK_THROWS_AS(++next, WaitTimedOut);  // a result that was not found is not skipped
    second.set();
    futures[1].wait();
    go_through();
    CHECK(found == std::vector<std::size_t>{0, 1});
    CHECK(completed.begin() == completed.end());
}
ON_ENGINES_WITH_WORKERS("API-27 as_completed() whose time is over can be gone through again",
                        asked_again_after_the_time)

template <class P>
void in_the_order_of_completion() {
    SharedPage page;
    const Counter turn{page};
    P pool{3};
    std::vector<Future<int>> futures;
    for (const int place : {2, 0, 1}) {
        futures.push_back(pool.apply_async(
            [](Counter now, int at) {
                now.wait_for(at);
                return at;
            },
            turn, place));
    }
    std::vector<int> order;
    for (const std::size_t at : as_completed(futures)) {
        order.push_back(futures[at].get());
        turn.add();
    }
    CHECK(order == std::vector{0, 1, 2});
}
ON_ENGINES_WITH_WORKERS("as_completed() yields futures as they become ready", in_the_order_of_completion)

template <class P>
void passed_between_threads() {
    SharedPage page;
    const Counter turn{page};
    P pool{3};
    std::vector<Future<int>> futures;
    for (int i = 0; i < 12; ++i) {
        futures.push_back(pool.apply_async(
            [](Counter now, int at) {
                now.wait_for(at);
                return at;
            },
            turn, i));
    }
    auto completed = as_completed(futures);
    auto next = completed.begin();
    std::vector<std::size_t> order;
    const auto take_four = [&] {
        for (int i = 0; i < 4 && next != completed.end(); ++i) {
            order.push_back(*next);
            turn.add();
            std::this_thread::sleep_for(1ms);  // so that the next one is slept for, not found at once
            if (order.size() < 12) { ++next; }
        }
    };
    take_four();
    auto [promise, start] = make_deferred<void>();  // all workers are busy
    Future<void> middle = start.then(take_four);
    promise.set_value();
    get_soon(middle);
    std::thread{take_four}.join();
    CHECK(order == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
}
TEST_CASE("as_completed() goes on on another thread and on the callback thread - processes") {
    passed_between_threads<Pool>();
}
TEST_CASE("as_completed() goes on on another thread and on the callback thread - threads", "[thread]") {
    passed_between_threads<ThreadPool>();
}

template <class P>
void more_than_the_queue() {
    P pool{{.workers = 2, .queue_capacity = 16}};
    const int count = static_cast<int>(times(5000));
    std::vector<Future<int>> futures;
    for (int i = 0; i < count; ++i) { futures.push_back(pool.apply_async(same, i)); }
    std::vector<bool> seen(futures.size());
    for (const std::size_t at : as_completed(futures)) {
        if (seen[at] || futures[at].get() != static_cast<int>(at)) { FAIL("wrong or twice"); }
        seen[at] = true;
        // Results of tasks that are waited for have to leave their slots.
        if (at % 50 == 0) { static_cast<void>(pool.apply(same, 1)); }
    }
    CHECK(std::ranges::count(seen, true) == count);
}
ON_EVERY_ENGINE("as_completed() finds results that have left their slots", more_than_the_queue)

template <class P>
void swept_while_waited_for() {
    P pool{{.workers = 2, .queue_capacity = 8}};
    std::atomic<std::size_t> found{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            for (std::size_t round = 0; round < times(100); ++round) {
                std::vector<Future<int>> futures;
                for (int i = 0; i < 20; ++i) { futures.push_back(pool.apply_async(same, i)); }
                if (round % 2 == 0) {
                    futures[7].on_done([&] { ++found; });
                }
                found += positions(futures).size();
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(found == 3 * (times(100) * 20 + times(100) / 2));
}
ON_EVERY_ENGINE("three threads wait for many while each other's submissions empty the slots", swept_while_waited_for)

TEST_CASE("more threads wait for many than there are parkers", "[thread]") {
    ThreadPool pool{1};
    std::atomic<bool> go{false};
    std::vector<Future<int>> futures;
    const auto address = reinterpret_cast<std::uintptr_t>(&go);
    futures.push_back(pool.apply_async(
        [](std::uintptr_t flag) {
            while (!reinterpret_cast<std::atomic<bool>*>(flag)->load()) { std::this_thread::sleep_for(1ms); }
            return 1;
        },
        address));
    std::atomic<int> woke{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 100; ++i) {
        threads.emplace_back([&, i] {
            if (i % 2 == 0) {
                static_cast<void>(wait_any(futures));
            } else {
                futures[0].wait();
            }
            ++woke;
        });
    }
    std::this_thread::sleep_for(50ms);
    CHECK(woke == 0);
    go = true;
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(woke == 100);
}

TEST_CASE("every callback is called once and every future is found while workers are killed", "[slow]") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    Pool pool{4};
    std::atomic<bool> stop{false};
    std::thread killer{[&] {
        std::mt19937 mine{seed + 1};
        while (!stop) {
            const std::vector<WorkerInfo> workers = pool.workers();
            const WorkerInfo chosen = workers.empty() ? WorkerInfo{} : workers[mine() % workers.size()];
            if (chosen.tasks_done > 0) { send_signal(chosen.pid, SIGKILL); }
            std::this_thread::sleep_for(3ms);
        }
    }};
    const auto start = std::chrono::steady_clock::now();
    std::size_t rounds = 0;
    while (since(start) < 4s) {
        ++rounds;
        std::vector<Future<int>> futures;
        std::vector<int> calls(300);
        for (std::size_t i = 0; i < calls.size(); ++i) {
            futures.push_back(pool.apply_async(same, static_cast<int>(i)));
            if (random() % 2 == 0) {
                futures.back().on_done([&calls, i] { ++calls[i]; });
            } else {
                calls[i] = 1;
            }
        }
        std::size_t found = 0;
        for (const std::size_t at : as_completed(futures, 20s)) {
            ++found;
            try {
                if (get_soon(futures[at]) != static_cast<int>(at)) { FAIL("wrong"); }
            } catch (const WorkerDied&) {}
        }
        if (found != 300 || std::ranges::count(calls, 1) != 300) { FAIL("missed or twice, round " << rounds); }
    }
    stop = true;
    killer.join();
    SUCCEED();
}

}  // namespace

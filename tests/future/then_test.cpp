// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"

#include <malloc.h>
#include <atomic>
#include <barrier>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace procpool_test;

template <class P>
void unwrapped() {
    P pool{2};
    auto sum = pool.apply_async(same, 3).then([&](int n) { return pool.apply_async(same, n + 1); });
    STATIC_REQUIRE(std::is_same_v<decltype(sum), Future<int>>);
    CHECK(get_soon(sum) == 4);
    // void on either side; results that can only be moved; calls over many items; a pool of another engine.
    bool ran = false;
    get_soon(pool.apply_async(same, 3).then([&](int) { return pool.apply_async([] {}).then([&] { ran = true; }); }));
    CHECK(ran);
    CHECK(*get_soon(pool.apply_async([] {}).then(
              [&] { return pool.apply_async([] { return std::make_unique<int>(6); }); })) == 6);
    CHECK(get_soon(pool.apply_async(same, 3).then([&](int n) {
              return pool.map_async(same, std::vector{n, n + 1});
          })) == std::vector{3, 4});
    ThreadPool other{1};
    CHECK(get_soon(other.apply_async(same, 1).then([&](int n) { return pool.apply_async(same, n); })) == 1);
    CHECK(get_soon(pool.apply_async(same, 2).then([&](int n) { return other.apply_async(same, n); })) == 2);

    // One level, as often as there is one.
    auto twice = pool.apply_async(same, 1).then(
        [&](int n) { return pool.apply_async(same, n).then([&](int m) { return pool.apply_async(same, m + 1); }); });
    STATIC_REQUIRE(std::is_same_v<decltype(twice), Future<int>>);
    CHECK(get_soon(twice) == 2);
    auto [promise, later] = make_deferred<Future<int>>();
    auto inner = std::move(later).then([](Future<int> n) { return n; });
    STATIC_REQUIRE(std::is_same_v<decltype(inner), Future<int>>);
    promise.set_value(pool.apply_async(same, 7));
    CHECK(get_soon(inner) == 7);

    // One that is watched or ready already.
    std::atomic<int> called{0};
    CHECK(get_soon(pool.apply_async(same, 1).then([&](int n) {
              Future<int> seen = pool.apply_async(same, n).then(same);
              seen.on_done([&] { ++called; });
              return seen;
          })) == 1);
    wait_until([&] { return called == 1; }, "the function of the inner future");
    CHECK(get_soon(pool.apply_async(same, 1).then([](int n) {
              auto ends = make_deferred<int>();
              ends.promise.set_value(n + 1);
              return std::move(ends.future);
          })) == 2);
}
ON_EVERY_ENGINE("then() unwraps the future that its function returns", unwrapped)

template <class P>
void errors_pass() {
    P pool{2};
    CHECK_THROWS_AS(get_soon(pool.apply_async(same, 3).then([&](int n) { return pool.apply_async(fail, n); })),
                    std::out_of_range);
    CHECK_THROWS_AS(
        get_soon(pool.apply_async(same, 3).then([&](int n) { return pool.apply_async(fail, n).then(same); })),
        std::out_of_range);
    bool called = false;
    CHECK_THROWS_AS(get_soon(pool.apply_async(fail, 3).then([&](int n) {
                        called = true;
                        return pool.apply_async(same, n);
                    })),
                    std::out_of_range);
    CHECK_FALSE(called);
    CHECK_THROWS_AS(get_soon(pool.apply_async(same, 3).then([](int) -> Future<int> { throw std::domain_error("no"); })),
                    std::domain_error);
    CHECK_THROWS_AS(get_soon(pool.apply_async(same, 3).then([](int) { return Future<int>{}; })), std::future_error);
    // The pool is gone before the inner future is ready.
    if (has_workers<P>()) {
        ThreadPool outer{1};
        SharedPage page;
        const Gate started{page};
        const Gate until{page};
        auto inner_pool = std::make_unique<P>(1);
        auto blocker = inner_pool->apply_async(
            [](Gate says, Gate end) {
                says.set();
                end.wait();
            },
            started, until);
        started.wait();
        Future<int> lost = outer.apply_async(same, 1).then([&](int n) { return inner_pool->apply_async(same, n); });
        wait_until([&] { return inner_pool->stats().submitted == 2; }, "the inner task");
        if (has_processes<P>()) {
            inner_pool->kill();
        } else {
            inner_pool->terminate();
            until.set();
        }
        inner_pool.reset();
        CHECK_THROWS_AS(get_soon(lost), PoolTerminated);
    }
}
ON_EVERY_ENGINE("errors of the inner future and of an empty one pass", errors_pass)

/// Ends early when it is asked to stop.
void run_until_stopped(std::stop_token token, Gate started) {
    started.set();
    wait_until([&] { return token.stop_requested(); }, "a request to stop");
    throw TaskCancelled{};
}

template <class P>
void requests_reach_the_inner_task() {
    SharedPage page;
    P pool{1};
    {  // Before the inner task exists, the outer one is meant.
        const Gate started{page};
        bool called = false;
        Future<int> future = pool.apply_async(run_until_stopped, started).then([&] {
            called = true;
            return pool.apply_async(same, 1);
        });
        started.wait();
        CHECK(future.running());
        CHECK(future.kill());
        CHECK_THROWS_AS(get_soon(future), TaskCancelled);
        CHECK_FALSE(called);
    }
    for (const bool deferred : {false, true}) {  // once it exists: with a future of its own, or of a continuation
        const Gate started{page};
        Future<void> future = pool.apply_async(same, 1).then([&, deferred](int) {
            Future<void> inner = pool.apply_async(run_until_stopped, started);
            return deferred ? inner.then([] {}) : std::move(inner);
        });
        started.wait();
        wait_until([&] { return future.running(); }, "the inner task to be the future's");
        CHECK(future.kill());
        CHECK_THROWS_AS(get_soon(future), TaskCancelled);
    }
    for (const bool kills : {false, true}) {  // while the function runs
        const Gate started{page};
        std::atomic<bool> in_function{false};
        std::atomic<bool> may_go_on{false};
        Future<void> future = pool.apply_async(same, 1)
                                  .then([&](int) {
                                      in_function = true;
                                      wait_until([&] { return may_go_on.load(); }, "the request");
                                      return pool.apply_async(run_until_stopped, started);
                                  })
                                  .then([] {});
        wait_until([&] { return in_function.load(); }, "the function");
        CHECK_FALSE(future.running());
        CHECK((kills ? future.kill() : future.cancel()) == kills);
        may_go_on = true;
        CHECK_THROWS_AS(get_soon(future), TaskCancelled);
        CHECK_FALSE(future.kill());
    }
}
ON_ENGINES_WITH_WORKERS("cancel() and kill() reach the outer task - then the inner one - and wait for it between",
                        requests_reach_the_inner_task)

template <class P>
void dropped() {
    SharedPage page;
    const Counter ran{page};
    P pool{1};
    static_cast<void>(pool.apply_async(same, 1).then(
        [&](int n) { return pool.apply_async([](int, Counter count) { count.add(); }, n, ran); }));
    ran.wait_for(1);
}
ON_EVERY_ENGINE("dropping an unwrapped future detaches both tasks", dropped)

std::size_t heap_in_use() { return ::mallinfo2().uordblks; }

/// Counts down by tasks, each submitted by the continuation of the one before. at_end: the heap in use when the last
/// one is.
template <class P>
Future<int> count_down(P& pool, int n, std::size_t& at_end) {
    return pool.apply_async(same, n).then([&pool, &at_end](int left) {
        if (left != 0) { return count_down(pool, left - 1, at_end); }
        at_end = heap_in_use();
        return pool.apply_async(same, 5);
    });
}

template <class P>
void long_loops() {
    const auto steps = static_cast<int>(times(100'000));
    P pool{1};
    std::size_t at_end = 0;
    CHECK(get_soon(count_down(pool, 100, at_end)) == 5);
    const std::size_t at_start = at_end;
    CHECK(get_soon(count_down(pool, steps, at_end), 10 * wait_limit) == 5);
    CHECK(at_end < at_start + (std::size_t{1} << 20));
}
ON_EVERY_ENGINE("a loop of continuations that return futures takes neither stack nor memory", long_loops)

TEST_CASE("chains of futures of any length end and are cancelled without recursion", "[thread]") {
    constexpr int length = under_sanitizer ? 30'000 : 100'000;
    const auto link = [](Future<int> last, bool nested) {
        for (int i = 0; i < length; ++i) {
            if (nested) {
                auto [promise, next] = make_deferred<int>();
                last = next.then([inner = std::move(last)](int) mutable { return std::move(inner); });
                promise.set_value(0);
            } else {
                last = last.then([](int n) { return n; });
            }
        }
        return last;
    };
    for (const bool nested : {false, true}) {
        for (const bool cancels : {false, true}) {
            CAPTURE(nested, cancels);
            std::atomic<int> requests{0};
            auto [promise, first] = make_deferred<int>({.cancel = [&] {
                ++requests;
                return true;
            }});
            Future<int> last = link(std::move(first), nested);
            if (cancels) {
                CHECK((last.cancel() || nested));
                promise.set_exception(std::make_exception_ptr(TaskCancelled{}));
                CHECK_THROWS_AS(get_soon(last), TaskCancelled);
                CHECK((requests > 0 || nested));  // or there was nothing to be cancelled any more
            } else {
                promise.set_value(5);
                CHECK(get_soon(last) == 5);
            }
        }
    }
}

template <class P>
Future<void> forever(P& pool, std::atomic<int>& rounds) {
    return pool.apply_async(same, 1).then([&](int) {
        ++rounds;
        return forever(pool, rounds);
    });
}

template <class P>
void endless_loop_is_cancelled() {
    P pool{2};
    for (int round = 0; round < 20; ++round) {
        std::atomic<int> rounds{0};
        Future<void> loop = forever(pool, rounds);
        wait_until([&] { return rounds >= round; }, "the loop to run");
        std::vector<std::thread> threads;
        for (const bool kills : {false, true, false}) {
            threads.emplace_back([&loop, kills] { static_cast<void>(kills ? loop.kill() : loop.cancel()); });
        }
        for (std::thread& thread : threads) { thread.join(); }
        // A task that has ended nevertheless is followed by one that is asked too.
        while (loop.wait_for(1ms) == std::future_status::timeout) { static_cast<void>(loop.running()); }
        CHECK_THROWS_AS(loop.get(), TaskCancelled);
    }
}
ON_ENGINES_WITH_WORKERS("a loop of continuations without end is cancelled at any moment", endless_loop_is_cancelled)

TEST_CASE("a future that would end as it ends itself is an error", "[thread]") {
    auto [promise, start] = make_deferred<void>();
    Future<int> own;
    own = start.then([&own] { return std::move(own); });
    std::atomic<bool> ended{false};
    own.on_done([&] { ended = true; });
    promise.set_value();
    wait_until([&] { return ended.load(); }, "an error instead of nothing");
}

TEST_CASE("a promise is kept by another future", "[thread]") {
    auto [one, first] = make_deferred<int>();
    auto [other, second] = make_deferred<int>();
    other.set_from(std::move(first));
    CHECK_FALSE(other);
    CHECK_THROWS_AS(other.set_value(1), std::future_error);
    CHECK_FALSE(second.ready());
    one.set_value(3);
    CHECK(get_soon(second) == 3);
    auto [empty, third] = make_deferred<int>();
    empty.set_from({});
    CHECK_THROWS_AS(third.get(), std::future_error);
}

TEST_CASE("two promises that two threads keep by each other's futures make neither hang", "[thread]") {
    for (int round = 0; round < 1'000; ++round) {
        auto [one, first] = make_deferred<int>();
        auto [other, second] = make_deferred<int>();
        std::barrier start{2};
        std::thread crosswise{[&, &kept = one, &by = second] {
            start.arrive_and_wait();
            kept.set_from(std::move(by));
        }};
        start.arrive_and_wait();
        other.set_from(std::move(first));
        crosswise.join();
    }
    SUCCEED();
}

}  // namespace

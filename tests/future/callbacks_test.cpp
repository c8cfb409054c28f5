// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <pthread.h>
#include <atomic>
#include <csignal>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace procpool_test;

template <class P>
void called_once_before_wait_returns() {
    P pool{2};
    std::vector<int> values;  // plain: wait() orders what callbacks did before what comes after it
    std::vector<std::string> errors;
    Future<int> good = pool.apply_async(same, 1);
    good.on_done([&] { values.push_back(good.get()); });
    good.wait();
    CHECK(values == std::vector{1});
    CHECK_FALSE(good.valid());
    good.wait();  // there is nothing left to wait for

    Future<int> bad = pool.apply_async(fail, 2);
    bad.on_done([&] {
        try {
            values.push_back(bad.get());
        } catch (const std::out_of_range& error) { errors.push_back(error.what()); }
    });
    bad.wait();
    CHECK(values == std::vector{1});
    CHECK(errors == std::vector<std::string>{"2"});

    std::vector<int> order;
    Future<int> many = pool.apply_async(same, 3);
    for (int i = 0; i < 100; ++i) {
        many.on_done([&order, i] { order.push_back(i); });
    }
    CHECK(get_soon(many) == 3);

    int calls = 0;
    auto all_good = pool.map_async(same, std::vector{1, 2, 3});
    all_good.on_done([&] { ++calls; });
    all_good.wait();
    CHECK(calls == 1);
    CHECK(all_good.get() == std::vector{1, 2, 3});
    auto one_bad = pool.map_async([](int n) { return n == 2 ? fail(n) : n; }, std::vector{1, 2, 3});
    one_bad.on_done([&] { ++calls; });
    one_bad.wait();
    CHECK(calls == 2);
    CHECK_THROWS_AS(one_bad.get(), std::out_of_range);

    std::vector<int> expected(100);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(order == expected);
}
ON_EVERY_ENGINE("API-17 a callback runs once and before wait() returns", called_once_before_wait_returns)

enum class Ends { value, error, cancelled };

template <class P>
void added_in_every_state() {
    SharedPage page;
    for (const bool before : {true, false}) {
        for (const Ends end : {Ends::value, Ends::error, Ends::cancelled}) {
            if (end == Ends::cancelled && !has_workers<P>()) { continue; }
            const Gate gate{page};
            P pool{1};
            Future<void> blocker;
            if (has_workers<P>()) {
                blocker = pool.apply_async([](Gate until) { until.wait(); }, gate);
            }
            Future<int> future = pool.apply_async(end == Ends::error ? fail : same, 5);
            std::string seen;
            std::atomic<int> calls{0};
            const auto callback = [&] {
                seen = future.ready() ? "ready, " : "not ready, ";
                try {
                    seen += std::to_string(future.get());
                } catch (const std::out_of_range&) { seen += "error"; } catch (const TaskCancelled&) {
                    seen += "cancelled";
                }
                ++calls;
            };
            if (before) { future.on_done(callback); }
            if (end == Ends::cancelled) { CHECK(future.cancel()); }
            gate.set();
            if (!before) {
                CHECK(future.wait_for(wait_limit) == std::future_status::ready);
                future.on_done(callback);
            }
            wait_until([&] { return calls != 0; }, "the callback");
            pool.join();
            CAPTURE(before, static_cast<int>(end));
            CHECK(seen == (end == Ends::value ? "ready, 5" : end == Ends::error ? "ready, error" : "ready, cancelled"));
            CHECK(calls == 1);
            CHECK_FALSE(future.valid());
        }
    }
}
TEST_CASE("API-18 callbacks added before and after success/failure and cancellation - processes") {
    added_in_every_state<Pool>();
}
TEST_CASE("API-18 callbacks added before and after success/failure and cancellation - threads") {
    added_in_every_state<ThreadPool>();
}
TEST_CASE("API-18 callbacks added before and after success/failure and cancellation - inline") {
    added_in_every_state<InlinePool>();
}

template <class P>
void throwing_callbacks() {
    P pool{2};
    int after = 0;
    Future<int> future = pool.apply_async(same, 1);
    future.on_done([] { throw std::runtime_error("from a callback"); });
    future.on_done([&] { ++after; });
    future.on_done([] { throw 42; });
    future.on_done([&] { ++after; });
    future.wait();
    CHECK(after == 2);
    CHECK(future.get() == 1);
    for (int i = 0; i < 100; ++i) {
        Future<int> next = pool.apply_async(same, i);
        next.on_done([&] {
            ++after;
            throw 42;
        });
        CHECK(get_soon(next) == i);
    }
    CHECK(after == 102);
    pool.close();
    CHECK(pool.join_for(wait_limit));
}
ON_EVERY_ENGINE("API-19 a callback that throws costs nothing else", throwing_callbacks)

template <class P>
void callback_stops_the_pool() {
    for (const bool kills : {false, true}) {
        P pool{2};
        Future<int> future = pool.apply_async(same, 1);
        std::atomic<bool> stopped{false};
        future.on_done([&] {
            kills ? pool.kill() : pool.terminate();
            pool.join();
            stopped = true;
        });
        bool refused = false;
        const auto start = std::chrono::steady_clock::now();
        while (!refused && since(start) < wait_limit) {
            try {
                static_cast<void>(pool.apply_async(same, 2));
            } catch (const PoolClosed&) { refused = true; }
        }
        CHECK(refused);
        future.wait();
        CHECK(stopped);
    }
    auto owned = std::make_unique<P>(2);
    Future<int> last = owned->apply_async(same, 1);
    last.on_done([&owned] { owned.reset(); });
    last.wait();
    CHECK(!owned);
    CHECK(last.get() == 1);
}
ON_EVERY_ENGINE("API-21 a callback terminates/kills/joins and destroys the pool", callback_stops_the_pool)

template <class P>
void continuations() {
    P pool{2};
    CHECK(pool.apply_async(same, 3)
              .then([](int n) { return n * 2; })
              .then([](int n) { return std::to_string(n); })
              .get() == "6");
    int seen = 0;
    pool.apply_async(same, 3).then([&](int n) { seen = n; }).then([&] { seen *= 10; }).get();
    CHECK(seen == 30);

    // An exception passes by, one of a function takes its place, and the next can go on from there.
    bool called = false;
    Future<void> failed = pool.apply_async(fail, 4).then([&](int) { called = true; }).then([&] { called = true; });
    CHECK_THROWS_AS(get_soon(failed), std::out_of_range);
    CHECK_FALSE(called);
    CHECK_THROWS_AS(get_soon(pool.apply_async(same, 1).then([](int) -> int { throw std::domain_error("no"); })),
                    std::domain_error);

    // Types that can only be moved; the argument by value, by reference, or not at all.
    auto owner = std::make_unique<int>(5);
    auto moved = pool.apply_async([] { return std::make_unique<int>(6); })
                     .then([owner = std::move(owner)](std::unique_ptr<int> n) {
                         *n += *owner;
                         return n;
                     });
    CHECK(*get_soon(moved) == 11);
    CHECK(get_soon(pool.apply_async(same, 7).then([](const int& n) { return n; })) == 7);

    Future<int> source = pool.apply_async(same, 1);
    Future<int> target = source.then(same);
    CHECK_FALSE(source.valid());
    CHECK_THROWS_AS(source.then(same), std::future_error);
    CHECK_THROWS_AS(source.on_done([] {}), std::future_error);
    CHECK_THROWS_AS(source.wait(), std::future_error);
    CHECK(get_soon(target) == 1);
    CHECK_FALSE(target.valid());

    std::vector<int> order;
    Future<int> both = pool.apply_async(same, 1);
    both.on_done([&] { order.push_back(1); });
    Future<void> then = both.then([&](int) { order.push_back(2); });
    then.on_done([&] { order.push_back(3); });
    then.wait();
    CHECK(order == std::vector{1, 2, 3});

    Future<int> dropped = pool.apply_async(same, 1);
    std::atomic<bool> ran{false};
    static_cast<void>(dropped.then([&](int) { ran = true; }));
    wait_until([&] { return ran.load(); }, "a continuation nobody waits for");
}
ON_EVERY_ENGINE("a future can be continued", continuations)

TEST_CASE("then() and on_done() without a callback thread to be had leave the future as it was") {
    Subprocess program{[] {
        Pool pool{1};
        auto task = pool.apply_async([] { return std::string{"kept"}; });
        auto [promise, deferred] = make_deferred<std::string>();
        const auto set_stacks = [](std::size_t size) {
            pthread_attr_t attributes;
            ::pthread_attr_init(&attributes);
            ::pthread_attr_setstacksize(&attributes, size);
            if (::pthread_setattr_default_np(&attributes) != 0) { throw std::runtime_error("no other size of stacks"); }
            ::pthread_attr_destroy(&attributes);
        };
        set_stacks(std::size_t{1} << 50);  // so that no thread can be had
        for (Future<std::string>* const future : {&task, &deferred}) {
            try {
                future->on_done([] { std::printf("called!"); });
            } catch (const std::system_error&) { std::printf("refused, "); }
            try {
                static_cast<void>(future->then([](const std::string&) { std::printf("called!"); }));
            } catch (const std::system_error&) { std::printf("refused, "); }
        }
        set_stacks(std::size_t{1} << 20);
        promise.set_value("too");
        auto again = task.then([](const std::string& text) { return text + " it"; });
        std::printf("%s, %s", again.get().c_str(), deferred.get().c_str());
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "refused, refused, refused, refused, kept it, too");
}

template <class P>
void cancelled_continuations() {
    SharedPage page;
    const Gate gate{page};
    const Gate started{page};
    P pool{1};
    Future<void> running = pool.apply_async(
                                   [](Gate says, Gate until) {
                                       says.set();
                                       until.wait();
                                   },
                                   started, gate)
                               .then([] {});
    Future<int> waiting = pool.apply_async(same, 1).then(same);
    started.wait();
    CHECK(running.running());
    CHECK_FALSE(waiting.running());
    CHECK(waiting.cancel());
    CHECK_THROWS_AS(get_soon(waiting), TaskCancelled);
    CHECK_FALSE(running.cancel());
    if (has_processes<P>()) {
        CHECK(running.kill());
        CHECK_THROWS_AS(get_soon(running), TaskCancelled);
    }
    gate.set();
    CHECK(get_soon(pool.apply_async(same, 2)) == 2);
}
ON_ENGINES_WITH_WORKERS("a continuation is cancelled and killed with its task", cancelled_continuations)

template <class P>
void waiting_in_callbacks() {
    P pool{2};
    // Each of these needs another callback to run while this one waits.
    const int got = get_soon(pool.apply_async(same, 1).then(
        [&](int n) { return pool.apply_async(same, n + 1).then([](int m) { return m + 1; }).get(); }));
    CHECK(got == 3);
    const std::size_t any = get_soon(pool.apply_async(same, 1).then([&](int) {
        std::vector<Future<int>> futures;
        futures.push_back(pool.apply_async(same, 1).then(same));
        return wait_any(futures);
    }));
    CHECK(any == 0);
    const int sum = get_soon(pool.apply_async(same, 1).then([&](int) {
        std::vector<Future<int>> futures;
        int calls = 0;
        for (int i = 0; i < 50; ++i) {
            futures.push_back(pool.apply_async(same, i).then(same));
            futures.back().on_done([&calls] { ++calls; });
        }
        int total = 0;
        for (const std::size_t at : as_completed(futures)) { total += futures[at].get(); }
        wait_all(std::vector<Future<int>>{});
        // On this thread a future counts as ready before its functions have run; they run while it waits for something
        // else.
        while (calls < 50) { pool.apply_async(same, 1).then(same).get(); }
        return total;
    }));
    CHECK(sum == 49 * 25);
    const auto status = get_soon(pool.apply_async(same, 1).then([&](int) {
        auto [promise, never] = make_deferred<int>();
        return never.wait_for(20ms);
    }));
    CHECK(status == std::future_status::timeout);
    const std::vector<int> mapped = get_soon(pool.apply_async(same, 1).then([&](int) {
        return pool.map(same, std::vector{1, 2, 3});
    }));
    CHECK(mapped == std::vector{1, 2, 3});

    // As deep as there are callbacks that wait.
    std::function<int(int)> deep = [&](int left) {
        return left == 0 ? 0 : 1 + pool.apply_async(same, left - 1).then(deep).get();
    };
    CHECK(get_soon(pool.apply_async(same, 100).then(deep)) == 100);
}
ON_EVERY_ENGINE("waiting in a callback runs other callbacks", waiting_in_callbacks)

TEST_CASE("callbacks run on one thread with all signals blocked never in the caller", "[thread]") {
    std::set<std::thread::id> threads;
    std::size_t blocked = 0;
    ThreadPool pool{2};
    InlinePool here{1};
    std::vector<Future<void>> futures;
    auto [promise, later] = make_deferred<void>();
    later.on_done([] {});  // until it is decided, the thread does not end, however long this one is held up
    const auto look = [&](int) {
        threads.insert(std::this_thread::get_id());
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        blocked += sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGUSR1) == 1 ? 1 : 0;
    };
    for (int i = 0; i < 20; ++i) {
        futures.push_back(pool.apply_async(same, i).then(look));
        futures.push_back(here.apply_async(same, i).then(look));
    }
    wait_all(futures);
    CHECK(threads.size() == 1);
    CHECK_FALSE(threads.contains(std::this_thread::get_id()));
    CHECK(blocked == 40);
    promise.set_value();
    later.wait();
}

TEST_CASE("the callback thread ends when it has nothing to do and comes back", "[thread]") {
    const auto threads = [] {
        return std::distance(std::filesystem::directory_iterator{"/proc/self/task"},
                             std::filesystem::directory_iterator{});
    };
    ThreadPool pool{1};
    const auto without = threads();
    for (int round = 0; round < 3; ++round) {
        auto with = without;  // counted on that thread: a moment later it may have ended
        CHECK(get_soon(pool.apply_async(same, round).then([&](int n) {
                  with = threads();
                  return n;
              })) == round);
        CHECK(with == without + 1);
        wait_until([&] { return threads() == without; }, "the thread's end");
    }
    auto [promise, future] = make_deferred<int>();
    int called = 0;
    future.on_done([&] { ++called; });
    std::this_thread::sleep_for(150ms);
    CHECK(threads() == without + 1);  // it may be decided at any time
    promise.set_value(1);
    CHECK(get_soon(future) == 1);
    CHECK(called == 1);
}

template <class P>
void outlives_the_pool() {
    SharedPage page;
    const Gate gate{page};
    int calls = 0;
    std::vector<Future<int>> kept;
    std::atomic<int> dropped{0};
    {
        P pool{2};
        for (int i = 0; i < 20; ++i) {
            kept.push_back(pool.apply_async(same, i).then([&](int n) {
                ++calls;
                return n;
            }));
            Future<int> gone = pool.apply_async(same, i);
            gone.on_done([&] { ++dropped; });
        }
    }
    for (int i = 0; i < 20; ++i) { CHECK(get_soon(kept[static_cast<std::size_t>(i)]) == i); }
    CHECK(calls == 20);
    wait_until([&] { return dropped == 20; }, "the callbacks of dropped futures");
    Future<int> late;
    {
        P pool{1};
        late = pool.apply_async(same, 9);
    }
    late.on_done([&] { ++calls; });
    CHECK(get_soon(late) == 9);
    CHECK(calls == 21);
}
ON_EVERY_ENGINE("callbacks run after their pool and their future are gone", outlives_the_pool)

template <class P>
void ended_with_the_pool() {
    SharedPage page;
    const Gate gate{page};
    P pool{2};
    std::vector<Future<int>> futures;
    int calls = 0;
    for (int i = 0; i < 50; ++i) {
        futures.push_back(pool.apply_async(
            [](Gate until, int n) {
                until.wait();
                return n;
            },
            gate, i));
        futures.back().on_done([&] { ++calls; });
    }
    std::size_t completed = 0;
    std::thread waiter{[&] {
        for ([[maybe_unused]] const std::size_t at : as_completed(futures)) { ++completed; }
    }};
    if (!has_processes<P>()) { gate.set(); }
    pool.terminate();
    const auto start = std::chrono::steady_clock::now();
    waiter.join();
    CHECK(since(start) < wait_limit / 2);  // the tasks would end after wait_limit
    CHECK(completed == 50);
    wait_all(futures);
    CHECK(calls == 50);
    pool.join();
    for (Future<int>& future : futures) { CHECK(future.ready()); }
}
ON_ENGINES_WITH_WORKERS("TMO-13 terminate() decides every future and calls every callback", ended_with_the_pool)

TEST_CASE("a forked child has callbacks of its own") {
    Pool pool{1};
    SharedPage page;
    const Gate gate{page};
    auto [promise, never] = make_deferred<int>();
    never.on_done([] {});
    Future<int> waiting = pool.apply_async(same, 1).then(same);
    const auto in_child = [&]() -> int {
        if (never.ready() || never.running()) { return 1; }
        try {
            never.wait();
            return 2;
        } catch (const std::logic_error&) {}
        ThreadPool mine{1};
        if (get_soon(mine.apply_async(same, 4).then(same)) != 4) { return 3; }
        Pool forked{1};
        std::vector<Future<int>> futures;
        futures.push_back(forked.apply_async(same, 5).then(same));
        return wait_any(futures) == 0 && futures[0].get() == 5 ? 0 : 4;
    };
    const auto status_of = [&](pid_t child) {
        int status = 0;
        ::waitpid(child, &status, 0);
        return status;
    };
    CHECK(get_soon(waiting) == 1);
    const pid_t child = ::fork();
    if (child == 0) { ::_exit(in_child()); }
    CHECK(status_of(child) == 0);

    // Forked on the callback thread, whose loop the child must not take for its own.
    const int status = get_soon(pool.apply_async(same, 1).then([&](int) {
        const pid_t grandchild = ::fork();
        if (grandchild == 0) { ::_exit(in_child()); }
        return status_of(grandchild);
    }));
    CHECK(status == 0);
    // As is a pool built there, and the pools that its tasks build.
    const int nested = get_soon(pool.apply_async(same, 1).then([](int) {
        Pool inner{1};
        return inner.apply([] {
            Pool innermost{1};
            return innermost.apply_async(same, 8).then([](int n) { return n + 1; }).get();
        });
    }));
    CHECK(nested == 9);
    promise.set_value(1);
    CHECK(get_soon(never) == 1);
}

}  // namespace

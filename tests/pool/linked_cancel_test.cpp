// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"

#include <procpool/future/shared_future.hpp>
#include <procpool/future/when_all.hpp>

#include <chrono>
#include <future>
#include <stop_token>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

// Futures as arguments: cancelling and killing tasks that wait, and those that others wait for. The only worker is held
// all the time, so whatever happens needs none.

namespace {

using namespace procpool_test;

int cancel_counted(Counter calls, int n) {
    calls.add();
    return n;
}
int cancel_counted_two(Counter calls, int a, int b) {
    calls.add();
    return a + b;
}

/// A pool whose only worker is busy until release().
template <class P>
struct HeldPool {
    SharedPage page{};
    Gate open{page};
    Counter calls{page};
    P pool;
    Future<int> holder;

    explicit HeldPool(std::size_t capacity = 4096) : pool(PoolOptions{.workers = 1, .queue_capacity = capacity}) {
        const Gate begun{page};
        holder = pool.apply_async(
            [](Gate begins, Gate end) {
                begins.set();
                end.wait(60s);
                return 1;
            },
            begun, open);
        begun.wait();
    }
    [[nodiscard]] Future<int> counted(int n) { return pool.apply_async(cancel_counted, calls, n); }
    template <class F>
    [[nodiscard]] Future<int> counted(F&& future) requires(!std::is_same_v<std::remove_cvref_t<F>, int>) {
        return pool.apply_async(cancel_counted, calls, std::forward<F>(future));
    }
    void release() {
        open.set();
        CHECK(get_soon(holder) == 1);
    }
};

template <class P>
void blocked_is_cancelled() {
    HeldPool<P> held;
    auto first = held.counted(1);
    const SharedFuture<int> root = std::move(first).share();
    auto blocked = held.counted(root);
    auto stays = held.counted(root);
    CHECK_FALSE(blocked.running());
    CHECK(blocked.cancel());
    CHECK(blocked.ready());
    CHECK_FALSE(blocked.cancel());
    CHECK_THROWS_AS(blocked.get(), TaskCancelled);
    auto killed = held.counted(root);
    CHECK(killed.kill());
    CHECK_THROWS_AS(get_soon(killed), TaskCancelled);
    CHECK_FALSE(held.holder.ready());
    CHECK(held.pool.stats().cancelled == 2);
    held.release();
    CHECK(root.get() == 1);
    CHECK(get_soon(stays) == 1);
    CHECK(held.calls.value() == 2);
    CHECK(held.pool.apply(same, 3) == 3);
}
ON_ENGINES_WITH_WORKERS("a task that waits for others is cancelled at once and leaves them alone", blocked_is_cancelled)

template <class P>
void cancel_goes_down() {
    HeldPool<P> held;
    const SharedFuture<int> root = held.counted(1).share();
    // A diamond below it, a chain, and a task that another one is an argument of, too.
    auto left = held.counted(root);
    const SharedFuture<int> right = held.counted(root).share();
    auto both = held.pool.apply_async(cancel_counted_two, held.calls, std::move(left), right);
    auto chain = held.counted(right);
    for (int n = 0; n < 100; ++n) { chain = held.counted(std::move(chain)); }
    auto other = held.counted(5);
    const SharedFuture<int> spared = std::move(other).share();
    auto mixed = held.pool.apply_async(cancel_counted_two, held.calls, spared, root);
    CHECK(root.cancel());
    // Each of these has only waited.
    CHECK_THROWS_AS(get_soon(both), TaskCancelled);
    CHECK_THROWS_AS(get_soon(chain), TaskCancelled);
    CHECK_THROWS_AS(right.get(), TaskCancelled);
    CHECK_THROWS_AS(root.get(), TaskCancelled);
    CHECK_FALSE(held.holder.ready());
    CHECK_FALSE(mixed.ready());  // another of its arguments is to come
    held.release();
    CHECK_THROWS_AS(get_soon(mixed), TaskCancelled);
    CHECK(spared.get() == 5);
    CHECK(held.calls.value() == 1);
    const PoolStats stats = held.pool.stats();
    CHECK(stats.cancelled == 1 + 3 + 101 + 1);
    CHECK(stats.submitted == stats.completed + stats.cancelled);
}
ON_ENGINES_WITH_WORKERS("cancelling a task cancels those that wait for it - through a diamond and down a chain",
                        cancel_goes_down)

template <class P>
void cancel_fan_with_chains() {
    HeldPool<P> held;
    const SharedFuture<int> root = held.counted(1).share();
    std::vector<Future<int>> ends;
    for (int n = 0; n < 20; ++n) {
        auto chain = held.counted(root);
        for (int i = 0; i < 5; ++i) { chain = held.counted(std::move(chain)); }
        ends.push_back(std::move(chain));
    }
    auto all = held.pool.apply_async([](Counter calls, const std::vector<int>&) { calls.add(); }, held.calls,
                                     when_all(std::move(ends)));
    CHECK(root.cancel());
    CHECK_THROWS_AS(get_soon(all), TaskCancelled);
    CHECK(held.pool.stats().cancelled == 1 + 20 * 6 + 1);
    held.release();
    CHECK(held.calls.value() == 0);
}
ON_ENGINES_WITH_WORKERS("cancelling a task cancels many chains at once", cancel_fan_with_chains)

template <class P>
void cancel_before() {
    HeldPool<P> held;
    const SharedFuture<int> root = held.counted(1).share();
    CHECK(root.cancel());
    auto after = held.counted(root);
    CHECK_THROWS_AS(get_soon(after), TaskCancelled);
    auto withdrawn = held.counted(2);
    CHECK(withdrawn.cancel());
    CHECK_THROWS_AS(get_soon(held.counted(held.counted(std::move(withdrawn)))), TaskCancelled);
    CHECK_THROWS_AS(root.get(), TaskCancelled);
    auto read = held.counted(root);
    CHECK_THROWS_AS(get_soon(read), TaskCancelled);
    CHECK_FALSE(held.holder.ready());
    held.release();
    CHECK(held.calls.value() == 0);
}
ON_ENGINES_WITH_WORKERS("a task that was cancelled before cancels those that get it as an argument", cancel_before)

template <class P>
void error_and_cancel() {
    HeldPool<P> held;
    // Both: f is not called, whichever it ends in.
    const SharedFuture<int> fails = held.pool.apply_async(fail, 3).share();
    const SharedFuture<int> cancelled = held.counted(1).share();
    auto error_first = held.pool.apply_async(cancel_counted_two, held.calls, fails, cancelled);
    auto cancel_first = held.pool.apply_async(cancel_counted_two, held.calls, cancelled, fails);
    CHECK(cancelled.cancel());
    held.release();
    CHECK_THROWS(get_soon(error_first));
    CHECK_THROWS_AS(get_soon(cancel_first), TaskCancelled);
    CHECK(held.calls.value() == 0);
    const PoolStats stats = held.pool.stats();
    CHECK(stats.submitted == stats.completed + stats.failed + stats.cancelled);
}
ON_ENGINES_WITH_WORKERS("a task with a cancelled argument and one that failed does not run", error_and_cancel)

template <class P>
void running_dependency() {
    HeldPool<P> held;
    auto blocked = held.counted(std::move(held.holder));
    auto after = held.counted(std::move(blocked));
    CHECK(after.cancel());
    CHECK_THROWS_AS(get_soon(after), TaskCancelled);
    held.open.set();
    held.calls.wait_for(1);  // the task between them runs
    if (has_processes<P>()) {
        const Gate never{held.page};
        const SharedFuture<int> runs = held.pool
                                           .apply_async(
                                               [](Gate gate) {
                                                   gate.wait(60s);
                                                   return 1;
                                               },
                                               never)
                                           .share();
        auto waits = held.counted(held.counted(runs));
        wait_until([&] { return runs.running(); }, "the task to run");
        CHECK(runs.kill());
        CHECK_THROWS_AS(get_soon(waits), TaskCancelled);
        CHECK(held.calls.value() == 1);
    }
    const Gate started{held.page};
    const SharedFuture<int> asked = held.pool
                                        .apply_async(
                                            [](const std::stop_token& stop, Gate says) {
                                                says.set();
                                                wait_until([&] { return stop.stop_requested(); }, "a request to stop");
                                                throw TaskCancelled{};
                                                return 1;
                                            },
                                            started)
                                        .share();
    auto waits = held.counted(asked);
    started.wait();
    static_cast<void>(asked.cancel());
    CHECK_THROWS_AS(get_soon(waits), TaskCancelled);
}
ON_ENGINES_WITH_WORKERS("a task that runs is killed or stopped under those that wait for it", running_dependency)

template <class P>
void cancelled_slots_are_used_again() {
    HeldPool<P> held{64};
    const SharedFuture<int> root = held.counted(1).share();
    for (int round = 0; round < 200; ++round) {
        std::vector<Future<int>> blocked;
        for (int n = 0; n < 20; ++n) { blocked.push_back(held.counted(root)); }
        auto all = held.pool.apply_async([](const std::vector<int>&) {}, when_all(std::move(blocked)));
        const bool withdrawn = all.cancel();
        if (round == 0) { CHECK(withdrawn); }
        std::vector<Future<int>> some;
        for (int n = 0; n < 20; ++n) { some.push_back(held.counted(root)); }
        for (Future<int>& one : some) {
            if (!one.cancel() && (round == 0 || get_soon(one) != 1)) { FAIL("a task ended otherwise"); }
        }
        if (round == 0) { held.release(); }  // the others may run before they are cancelled
    }
    CHECK(root.get() == 1);
    CHECK(held.pool.apply(same, 3) == 3);
}
ON_ENGINES_WITH_WORKERS("tasks that were cancelled while they waited make room for others",
                        cancelled_slots_are_used_again)

template <class P>
void cancel_races() {
    SharedPage page;
    const Counter calls{page};
    P pool{2};
    const int rounds = static_cast<int>(times(1000));
    for (int round = 0; round < rounds; ++round) {
        const SharedFuture<int> root = pool.apply_async(same, round).share();
        auto left = pool.apply_async(cancel_counted, calls, root);
        auto right = pool.apply_async(cancel_counted, calls, root);
        const SharedFuture<int> both =
            pool.apply_async(cancel_counted_two, calls, std::move(left), std::move(right)).share();
        auto end = pool.apply_async(cancel_counted, calls, both);
        for (int i = 0; i < round % 40; ++i) { detail::relax(); }
        const bool withdrawn = round % 3 == 0 ? root.cancel() : round % 3 == 1 ? both.cancel() : end.cancel();
        try {
            const int value = get_soon(end);
            if (value != 2 * round || withdrawn) { FAIL("a cancelled task has run"); }
        } catch (const TaskCancelled&) {
            if (!withdrawn) { FAIL("nobody cancelled it"); }
        }
    }
    pool.close();
    pool.join();
    const PoolStats stats = pool.stats();
    CHECK(stats.submitted == static_cast<std::uint64_t>(rounds) * 5);
    CHECK(stats.submitted == stats.completed + stats.cancelled);
}
ON_ENGINES_WITH_WORKERS("tasks are cancelled while their arguments come", cancel_races)

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include <procpool/future/shared_future.hpp>

#include "pool/engines.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <unistd.h>

namespace {

using namespace procpool_test;

/// Runs until the gate is open.
int held_by(Gate open, int n) {
    open.wait();
    return n;
}

template <class P>
void shared_is_read_by_many() {
    P pool{2};
    const SharedFuture<std::string> first =
        pool.apply_async([](std::size_t n) { return std::string(n, 'x'); }, std::size_t{5}).share();
    STATIC_REQUIRE(std::is_same_v<decltype(first.get()), const std::string&>);
    STATIC_REQUIRE(std::is_same_v<SharedFuture<std::string>::value_type, std::string>);
    const SharedFuture<std::string> second = first;
    CHECK(first.get() == "xxxxx");
    CHECK(first.get() == "xxxxx");
    CHECK(&first.get() == &second.get());
    CHECK(first.valid());
    CHECK(first.ready());
    CHECK_FALSE(first.running());
    CHECK_FALSE(first.cancel());
    CHECK_FALSE(first.kill());
    CHECK(first.wait_for(0s) == std::future_status::ready);
    SharedFuture<std::string> third = second;
    const SharedFuture<std::string> moved = std::move(third);
    CHECK(moved.get() == "xxxxx");

    // The result can only be moved: it is lent.
    const SharedFuture<std::unique_ptr<int>> only_moved =
        pool.apply_async([] { return std::make_unique<int>(4); }).share();
    CHECK(*only_moved.get() == 4);
    CHECK(*only_moved.get() == 4);

    Future<int> own = pool.apply_async(same, 6);
    const SharedFuture<int> of_it = own.share();
    CHECK_FALSE(own.valid());
    CHECK(of_it.get() == 6);
}
ON_EVERY_ENGINE("a shared future gives its result to each reader each time", shared_is_read_by_many)

template <class P>
void shared_of_void() {
    SharedPage page;
    const Counter ran{page};
    P pool{2};
    const SharedFuture<void> done = pool.apply_async([](Counter count) { count.add(); }, ran).share();
    STATIC_REQUIRE(std::is_void_v<decltype(done.get())>);
    done.get();
    done.get();
    const SharedFuture<void> copy = done;
    copy.get();
    CHECK(ran.value() == 1);
    bool called = false;
    get_soon(copy.then([&] { called = true; }));
    CHECK(called);
    const SharedFuture<void> failed = pool.apply_async([] { throw std::domain_error("no"); }).share();
    CHECK_THROWS_AS(failed.get(), std::domain_error);
    CHECK_THROWS_AS(failed.get(), std::domain_error);
}
ON_EVERY_ENGINE("a shared future of void tells each time how the task ended", shared_of_void)

template <class P>
void shared_error() {
    P pool{2};
    const SharedFuture<int> failed = pool.apply_async(fail, 7).share();
    for (int i = 0; i < 3; ++i) { CHECK_THROWS_WITH(failed.get(), "7"); }
    const SharedFuture<int> copy = failed;
    CHECK_THROWS_AS(copy.get(), std::out_of_range);
    CHECK(copy.ready());
    if (has_processes<P>()) {
        const SharedFuture<int> died = pool.apply_async(TaskOptions{.label = "falls"},
                                                        [] {
                                                            ::raise(SIGKILL);
                                                            return 0;
                                                        })
                                           .share();
        for (int i = 0; i < 2; ++i) {
            try {
                died.get();
                FAIL("it must have died");
            } catch (const WorkerDied& error) {
                CHECK(error.label() == "falls");
                CHECK(error.exit_status() == ExitStatus::from_signal(SIGKILL));
            }
        }
    }
}
ON_EVERY_ENGINE("a shared future throws its error each time", shared_error)

TEST_CASE("a shared future without a result to come says so", "[thread]") {
    const SharedFuture<int> none;
    CHECK_FALSE(none.valid());
    CHECK_FALSE(none.ready());
    CHECK_FALSE(none.running());
    CHECK_THROWS_AS(none.get(), std::future_error);
    CHECK_THROWS_AS(none.wait(), std::future_error);
    CHECK_THROWS_AS(none.wait_for(0s), std::future_error);
    CHECK_THROWS_AS(none.cancel(), std::future_error);
    CHECK_THROWS_AS(none.kill(), std::future_error);
    CHECK_THROWS_AS(none.on_done([] {}), std::future_error);
    CHECK_THROWS_AS(none.then([](int) {}), std::future_error);
    CHECK_FALSE(SharedFuture<int>{Future<int>{}}.valid());
    CHECK_THROWS_AS(Future<int>{}.share(), std::future_error);
    SharedFuture<int> left = make_deferred<int>().future.share();
    const SharedFuture<int> moved = std::move(left);
    CHECK_FALSE(left.valid());  // NOLINT(bugprone-use-after-move)
    CHECK(moved.valid());
}

template <class P>
void shared_asked_meanwhile() {
    SharedPage page;
    const Gate open{page};
    P pool{1};
    const SharedFuture<int> task = pool.apply_async(held_by, open, 3).share();
    const SharedFuture<int> copy = task;
    CHECK(copy.valid());
    wait_until([&] { return copy.running(); }, "the task to run");
    CHECK_FALSE(copy.ready());
    CHECK(copy.wait_for(1ms) == std::future_status::timeout);
    CHECK(copy.wait_until(std::chrono::steady_clock::now() + 1ms) == std::future_status::timeout);
    CHECK(copy.wait_until(std::chrono::system_clock::now()) == std::future_status::timeout);
    open.set();
    CHECK(copy.wait_for(wait_limit) == std::future_status::ready);
    CHECK(task.wait_until(std::chrono::system_clock::now() + wait_limit) == std::future_status::ready);
    CHECK(task.ready());
    CHECK_FALSE(task.running());
    CHECK(copy.get() == 3);
}
ON_ENGINES_WITH_WORKERS("a shared future may be asked and waited for with a limit", shared_asked_meanwhile)

template <class P>
void shared_calls_functions() {
    SharedPage page;
    const Gate open{page};
    P pool{1};
    std::atomic<int> called{0};
    {
        const SharedFuture<int> task =
            has_workers<P>() ? pool.apply_async(held_by, open, 3).share() : pool.apply_async(same, 3).share();
        const SharedFuture<int> copy = task;
        task.on_done([&] { ++called; });
        copy.on_done([&called, copy] { called += copy.get(); });
        open.set();
        wait_until([&] { return called == 4; }, "the functions");
        copy.on_done([&] { ++called; });
    }
    wait_until([&] { return called == 5; }, "a function added after the end");
    pool.apply_async(fail, 1).share().on_done([&] { ++called; });
    wait_until([&] { return called == 6; }, "the function of a dropped one that failed");
    CHECK(pool.stats().unobserved == 0);
}
ON_EVERY_ENGINE("each copy of a shared future takes functions to be called", shared_calls_functions)

template <class P>
void shared_goes_on() {
    P pool{2};
    const SharedFuture<std::string> text = pool.apply_async([] { return std::string("abc"); }).share();
    auto size = text.then([](const std::string& read) { return read.size(); });
    STATIC_REQUIRE(std::is_same_v<decltype(size), Future<std::size_t>>);
    auto twice = text.then([](const std::string& read) { return read + read; });
    CHECK(text.valid());
    CHECK(get_soon(size) == 3);
    CHECK(get_soon(twice) == "abcabc");
    CHECK(text.get() == "abc");
    CHECK(get_soon(text.then([](const std::string& read) { return read[1]; })) == 'b');
    // A future that the function returns is unwrapped.
    CHECK(get_soon(text.then(
              [&](const std::string& read) { return pool.apply_async(same, static_cast<int>(read.size())); })) == 3);

    bool called = false;
    const SharedFuture<int> failed = pool.apply_async(fail, 5).share();
    auto after = failed.then([&](int) { called = true; });
    CHECK_THROWS_WITH(get_soon(after), "5");
    CHECK_FALSE(called);
    CHECK_THROWS_WITH(failed.get(), "5");
    CHECK_THROWS_AS(get_soon(text.then([](const std::string&) { throw std::domain_error("mine"); })),
                    std::domain_error);
}
ON_EVERY_ENGINE("then() of a shared future leaves it valid", shared_goes_on)

template <class P>
void shared_is_cancelled() {
    SharedPage page;
    const Gate open{page};
    P pool{1};
    auto holder = pool.apply_async(held_by, open, 0);
    const SharedFuture<int> waiting = pool.apply_async(same, 1).share();
    const SharedFuture<int> copy = waiting;
    const SharedFuture<int> through_then = pool.apply_async(same, 2).share();
    auto after = through_then.then([](int n) { return n; });
    CHECK(copy.cancel());
    CHECK(after.cancel());
    for (int i = 0; i < 2; ++i) {
        CHECK_THROWS_AS(waiting.get(), TaskCancelled);
        CHECK_THROWS_AS(copy.get(), TaskCancelled);
    }
    CHECK_FALSE(waiting.cancel());
    CHECK_THROWS_AS(get_soon(after), TaskCancelled);
    CHECK_THROWS_AS(through_then.get(), TaskCancelled);
    CHECK_FALSE(holder.ready());  // nothing of this has needed the worker
    open.set();
    CHECK(get_soon(holder) == 0);
    if (has_processes<P>()) {
        const Gate never{page};
        const SharedFuture<int> runs = pool.apply_async(held_by, never, 0).share();
        const SharedFuture<int> same_task = runs;
        wait_until([&] { return runs.running(); }, "the task to run");
        CHECK(same_task.kill());
        CHECK_THROWS_AS(runs.get(), TaskCancelled);
        CHECK_THROWS_AS(runs.get(), TaskCancelled);
    }
}
ON_ENGINES_WITH_WORKERS("any copy of a shared future cancels and kills the task", shared_is_cancelled)

template <class P>
void shared_outlives() {
    SharedFuture<std::string> read_before;
    SharedFuture<std::string> read_later;
    SharedFuture<int> failed;
    SharedFuture<int> lost;
    SharedPage page;
    const Gate open{page};
    {
        P pool{1};
        const auto text = [] { return std::string(100'000, 'y'); };
        read_before = pool.apply_async(text).share();
        CHECK(read_before.get().size() == 100'000);
        read_later = pool.apply_async(text).share();
        failed = pool.apply_async(fail, 8).share();
        pool.apply(same, 0);
        if (has_processes<P>()) {
            auto holder = pool.apply_async(held_by, open, 0);
            lost = pool.apply_async(same, 1).share();
            pool.kill();
            CHECK_THROWS_AS(get_soon(holder), PoolTerminated);
        }
    }
    CHECK(read_before.get() == std::string(100'000, 'y'));
    const SharedFuture<std::string> copy = read_later;
    CHECK(copy.get() == std::string(100'000, 'y'));
    CHECK(read_later.get().size() == 100'000);
    CHECK_THROWS_WITH(failed.get(), "8");
    CHECK_THROWS_WITH(failed.get(), "8");
    if (has_processes<P>()) {
        CHECK_THROWS_AS(lost.get(), PoolTerminated);
        CHECK_THROWS_AS(lost.get(), PoolTerminated);
    }
}
ON_EVERY_ENGINE("a shared future outlives its pool", shared_outlives)

template <class P>
void shared_results_leave_slots() {
    P pool{PoolOptions{.workers = 2, .queue_capacity = 4}};
    std::vector<SharedFuture<int>> all;
    for (int n = 0; n < 200; ++n) { all.push_back(pool.apply_async(same, n).share()); }
    for (int round = 0; round < 2; ++round) {
        int right = 0;
        for (int n = 0; n < 200; ++n) { right += all[static_cast<std::size_t>(n)].get() == n ? 1 : 0; }
        CHECK(right == 200);
    }
}
ON_EVERY_ENGINE("more shared futures are held than tasks have room", shared_results_leave_slots)

TEST_CASE("a deferred future is shared", "[thread]") {
    auto [promise, future] = make_deferred<std::string>();
    const SharedFuture<std::string> first = std::move(future).share();
    const SharedFuture<std::string> second = first;
    CHECK(second.valid());
    CHECK_FALSE(second.ready());
    CHECK(second.running());
    std::atomic<int> called{0};
    second.on_done([&] { ++called; });
    promise.set_value("set");
    for (int i = 0; i < 2; ++i) {
        CHECK(first.get() == "set");
        CHECK(second.get() == "set");
        CHECK(first.ready());
        CHECK(first.valid());
        CHECK_FALSE(first.running());
        CHECK(first.wait_for(0s) == std::future_status::ready);
    }
    wait_until([&] { return called == 1; }, "the function");
    second.on_done([&] { ++called; });
    wait_until([&] { return called == 2; }, "a function added after it was read");
    CHECK(get_soon(first.then([](const std::string& text) { return text.size(); })) == 3);
    CHECK(get_soon(first.then([](const std::string& text) { return text.size(); })) == 3);

    auto failed = make_deferred<int>();
    const SharedFuture<int> error = failed.future.share();
    failed.promise.set_exception(std::make_exception_ptr(std::domain_error("never")));
    for (int i = 0; i < 2; ++i) {
        CHECK_THROWS_WITH(error.get(), "never");
        CHECK(error.ready());
        CHECK_THROWS_WITH(get_soon(error.then([](int) {})), "never");
    }
    auto nothing = make_deferred<void>();
    const SharedFuture<void> done = nothing.future.share();
    nothing.promise.set_value();
    done.get();
    done.get();
    auto only_moved = make_deferred<std::unique_ptr<int>>();
    const SharedFuture<std::unique_ptr<int>> lent = only_moved.future.share();
    only_moved.promise.set_value(std::make_unique<int>(3));
    CHECK(*lent.get() == 3);
    CHECK(*lent.get() == 3);

    int cancels = 0;
    auto hooked = make_deferred<int>({.cancel = [&] { return ++cancels == 1; }});
    const SharedFuture<int> to_cancel = hooked.future.share();
    CHECK(SharedFuture<int>{to_cancel}.cancel());
    hooked.promise.set_exception(std::make_exception_ptr(TaskCancelled{}));
    CHECK_THROWS_AS(to_cancel.get(), TaskCancelled);
    CHECK(cancels == 1);
}

template <class P>
void shared_by_threads() {
    P pool{2};
    for (int round = 0; round < 20; ++round) {
        const SharedFuture<std::vector<int>> task =
            pool.apply_async([](int n) { return std::vector<int>(1000, n); }, round).share();
        auto ends = make_deferred<std::vector<int>>();
        const SharedFuture<std::vector<int>> deferred = ends.future.share();
        std::atomic<int> right{0};
        std::atomic<int> called{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&, mine = task, other = deferred] {
                mine.on_done([&] { ++called; });
                for (int n = 0; n < 3; ++n) { right += mine.get().at(999) == round ? 1 : 0; }
                other.on_done([&] { ++called; });
                right += other.get().at(9) == round ? 1 : 0;
                auto after = mine.then([](const std::vector<int>& all) { return all.size(); });
                right += after.get() == 1000 ? 1 : 0;
            });
        }
        ends.promise.set_value(10U, round);
        for (std::thread& thread : threads) { thread.join(); }
        CHECK(right == 20);
        wait_until([&] { return called == 8; }, "the functions");
    }
}
ON_EVERY_ENGINE("threads read copies of one shared future", shared_by_threads)

template <class P>
void shared_last_copy_detaches() {
    SharedPage page;
    const Counter ran{page};
    {
        P pool{2};
        for (int n = 0; n < 50; ++n) {
            const SharedFuture<void> first = pool.apply_async([](Counter count) { count.add(); }, ran).share();
            const SharedFuture<void> second = first;
        }
        for (int n = 0; n < 10; ++n) { static_cast<void>(pool.apply_async(fail, n).share()); }
        for (int n = 0; n < 10; ++n) { CHECK_THROWS_AS(pool.apply_async(fail, n).share().get(), std::out_of_range); }
        pool.join();
        CHECK(ran.value() == 50);
        CHECK(pool.stats().unobserved == 10);
        CHECK(pool.stats().completed == 50);
    }
}
ON_EVERY_ENGINE("the last copy of a shared future detaches the task", shared_last_copy_detaches)

template <class P>
void shared_in_a_task() {
    P pool{2};
    const auto reads_twice = [](int n) {
        const SharedFuture<int> inner = this_worker::submit(same, n).share();
        const SharedFuture<int> copy = inner;
        const int sum = inner.get() + copy.get();
        return copy.ready() && copy.valid() ? sum + inner.get() : -1;
    };
    CHECK(pool.apply(reads_twice, 4) == 12);
    const auto error_twice = [] {
        const SharedFuture<int> inner = this_worker::submit(fail, 3).share();
        std::string text;
        for (int i = 0; i < 2; ++i) {
            try {
                inner.get();
            } catch (const std::out_of_range& error) { text += error.what(); }
        }
        return text;
    };
    CHECK(pool.apply(error_twice) == "33");
}
ON_EVERY_ENGINE("what a task submits can be shared there", shared_in_a_task)

static_assert(detail::codec::is_plain_call_v<int (*)(int), int>);
static_assert(!detail::codec::is_plain_call_v<int (*)(int), SharedFuture<int>>, "its result may have to be waited for");

template <class P>
void shared_for_one_worker() {
    P pool{2};
    const SharedFuture<int> one = pool.apply_async(same, 1).share();
    std::thread{[&] { CHECK(pool.apply(same, 2) == 2); }}.join();  // which takes the pool from this thread alone
    CHECK(pool.apply_on(0, same, one) == 1);
}
ON_EVERY_ENGINE("a shared future is an argument of a task for one worker", shared_for_one_worker)

}  // namespace

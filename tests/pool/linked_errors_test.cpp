// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"

#include <procpool/future/shared_future.hpp>
#include <procpool/future/when_all.hpp>

#include <chrono>
#include <csignal>
#include <future>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <unistd.h>

// Futures as arguments: what becomes of a task whose dependencies end without a value.

namespace procpool_test::linked {

/// Has more than a text.
struct Refusal : std::runtime_error {
    Refusal(const std::string& what, int code_) : std::runtime_error(what), code(code_) {}
    int code;
};

}  // namespace procpool_test::linked

template <>
struct procpool::Codec<procpool_test::linked::Refusal> {
    using Refusal = procpool_test::linked::Refusal;
    static void encode(Writer& out, const Refusal& error) {
        Codec<std::string>::encode(out, error.what());
        Codec<int>::encode(out, error.code);
    }
    static Refusal decode(Reader& in) {
        auto text = Codec<std::string>::decode(in);
        return {text, Codec<int>::decode(in)};
    }
};

namespace {

using namespace procpool_test;
using procpool_test::linked::Refusal;

/// Counts its calls.
int counted(Counter calls, int n) {
    calls.add();
    return n;
}
int counted_two(Counter calls, int a, int b) {
    calls.add();
    return a + b;
}
int refuse(int n) { throw Refusal{"refused", n}; }
/// Fails once the gate is open.
int fail_late(Gate open, int n) {
    open.wait();
    return fail(n);
}
int return_late(Gate open, int n) {
    open.wait();
    return n;
}

template <class P>
void passed_through_steps() {
    SharedPage page;
    const Counter calls{page};
    register_exception<Refusal>();
    P pool{2};
    auto failed = pool.apply_async(refuse, 42);
    for (int n = 0; n < 5; ++n) { failed = pool.apply_async(counted, calls, std::move(failed)); }
    try {
        get_soon(failed);
        FAIL("it has no value");
    } catch (const Refusal& error) {
        CHECK(error.what() == std::string("refused"));
        CHECK(error.code == 42);
    }
    // A diamond: each side passes it on, and the task where they meet has one of them.
    const SharedFuture<int> root = pool.apply_async(refuse, 43).share();
    auto left = pool.apply_async(counted, calls, root);
    auto right = pool.apply_async(counted, calls, root);
    auto both = pool.apply_async(counted_two, calls, std::move(left), std::move(right));
    auto after = pool.apply_async(counted, calls, std::move(both));
    try {
        get_soon(after);
        FAIL("it has no value");
    } catch (const Refusal& error) { CHECK(error.code == 43); }
    for (int i = 0; i < 2; ++i) { CHECK_THROWS_AS(root.get(), Refusal); }
    // Decided before: in its slot, and read.
    CHECK_THROWS_AS(get_soon(pool.apply_async(counted, calls, root)), Refusal);
    auto decided = pool.apply_async(fail, 6);
    decided.wait();
    CHECK_THROWS_WITH(get_soon(pool.apply_async(counted, calls, std::move(decided))), "6");
    // Other types; a long text; no exception of std.
    const auto throws_code = [] { throw std::system_error(std::make_error_code(std::errc::no_link), "far"); };
    try {
        get_soon(pool.apply_async([] {}, pool.apply_async(throws_code)));
        FAIL("it has no value");
    } catch (const std::system_error& error) { CHECK(error.code() == std::errc::no_link); }
    const std::string text(100'000, 'e');
    const auto throws_text = [](const std::string& t) { throw std::domain_error(t); };
    CHECK_THROWS_WITH(get_soon(pool.apply_async([] {}, pool.apply_async(throws_text, text))), text);
    CHECK_THROWS_AS(get_soon(pool.apply_async([] {}, pool.apply_async([] { throw 5; }))), RemoteError);
    pool.close();
    pool.join();
    CHECK(calls.value() == 0);
    CHECK(pool.stats().submitted == pool.stats().failed);
    CHECK(pool.stats().unobserved == 0);
}

template <class P>
void first_of_the_arguments() {
    SharedPage page;
    const Counter calls{page};
    const Gate open{page};
    P pool{3};
    if (has_workers<P>()) {  // the first in the order of the arguments fails last
        auto late = pool.apply_async(fail_late, open, 1);
        auto soon = pool.apply_async(fail, 2);
        soon.wait();
        auto two = pool.apply_async(counted_two, calls, std::move(late), std::move(soon));
        CHECK_FALSE(two.ready());
        open.set();
        CHECK_THROWS_WITH(get_soon(two), "1");
    }
    std::vector<Future<int>> futures;
    for (const int n : {3, 4, 5}) { futures.push_back(pool.apply_async(n == 3 ? same : fail, n)); }
    const auto use = [](Counter count, const std::vector<int>&, int) { count.add(); };
    CHECK_THROWS_WITH(get_soon(pool.apply_async(use, calls, when_all(std::move(futures)), pool.apply_async(fail, 6))),
                      "4");
    CHECK_THROWS_WITH(
        get_soon(pool.apply_async(
            [](Counter count, const std::tuple<int, std::tuple<int, int>>&) { count.add(); }, calls,
            when_all(pool.apply_async(same, 1), when_all(pool.apply_async(same, 1), pool.apply_async(fail, 7))))),
        "7");
    // One of void, which gives no parameter.
    CHECK_THROWS_AS(get_soon(pool.apply_async(counted, calls, pool.apply_async([] { throw std::domain_error("no"); }),
                                              pool.apply_async(same, 1))),
                    std::domain_error);
    // One has left its slot; the other one is before it or after it, and fails later.
    for (const bool left_first : {true, false}) {
        SharedPage another;
        const Gate later{another};
        P small{PoolOptions{.workers = 1, .queue_capacity = 2}};
        auto left = small.apply_async(fail, 8);
        std::vector<Future<int>> fill;
        for (int n = 0; n < 10; ++n) { fill.push_back(small.apply_async(same, n)); }
        auto late = has_workers<P>() ? small.apply_async(fail_late, later, 9) : small.apply_async(fail, 9);
        auto two = left_first ? small.apply_async(counted_two, calls, std::move(left), std::move(late))
                              : small.apply_async(counted_two, calls, std::move(late), std::move(left));
        later.set();
        CHECK_THROWS_WITH(get_soon(two), left_first ? "8" : "9");
        small.close();
        small.join();
        const PoolStats stats = small.stats();
        CHECK(stats.failed == 3);
        CHECK(stats.submitted == stats.completed + stats.failed);
    }
    pool.close();
    pool.join();
    CHECK(calls.value() == 0);
}

template <class P>
void runs_only_with_values() {
    SharedPage page;
    const Counter calls{page};
    P pool{2};
    // Every second one of those that depend on the same two.
    const SharedFuture<int> good = pool.apply_async(same, 1).share();
    const SharedFuture<int> bad = pool.apply_async(fail, 2).share();
    std::vector<Future<int>> all;
    for (int n = 0; n < 60; ++n) {
        all.push_back(n % 2 == 0 ? pool.apply_async(counted_two, calls, good, n)
                                 : pool.apply_async(counted_two, calls, good, bad));
    }
    for (int n = 0; n < 60; ++n) {
        Future<int>& one = all[static_cast<std::size_t>(n)];
        if (n % 2 == 0) {
            CHECK(get_soon(one) == n + 1);
        } else {
            CHECK_THROWS_WITH(get_soon(one), "2");
        }
    }
    CHECK(calls.value() == 30);
}

template <class P>
void linked_unobserved() {
    P pool{2};
    const auto step = [](int n) { return n; };
    // Taken at the end of a chain: nowhere an error that nobody took.
    CHECK_THROWS_WITH(get_soon(pool.apply_async(step, pool.apply_async(step, pool.apply_async(fail, 1)))), "1");
    // Dropped at its end: once.
    static_cast<void>(pool.apply_async(step, pool.apply_async(step, pool.apply_async(fail, 2))));
    wait_until([&] { return pool.stats().unobserved == 1; }, "the count of a dropped chain");
    // Two dependants of one, of which one is dropped.
    {
        const SharedFuture<int> shared = pool.apply_async(fail, 3).share();
        auto taken = pool.apply_async(step, shared);
        static_cast<void>(pool.apply_async(step, shared));
        CHECK_THROWS_WITH(get_soon(taken), "3");
    }
    wait_until([&] { return pool.stats().unobserved >= 2; }, "the count of a dropped dependant");
    pool.close();
    pool.join();
    CHECK(pool.stats().unobserved == 2);
}

template <class P>
void linked_own_failures() {
    register_exception<Refusal>();
    P pool{2};
    CHECK_THROWS_WITH(get_soon(pool.apply_async(fail, pool.apply_async(same, 9))), "9");
    CHECK_THROWS_AS(get_soon(pool.apply_async(refuse, pool.apply_async(same, 9))), Refusal);
    const SharedFuture<int> one = pool.apply_async(same, 1).share();
    auto both = pool.apply_async([](int a, int b) { return a + b; }, pool.apply_async(fail, one), one);
    CHECK_THROWS_WITH(get_soon(both), "1");
    CHECK(pool.stats().failed == 4);
    CHECK(pool.stats().completed == 3);
}

ON_EVERY_ENGINE("an error arrives unchanged through several steps and f is not called", passed_through_steps)
ON_EVERY_ENGINE("of several errors the first in the order of the arguments arrives", first_of_the_arguments)
ON_EVERY_ENGINE("only tasks all of whose arguments have values run", runs_only_with_values)
ON_EVERY_ENGINE("an error that another task got is none that nobody took", linked_unobserved)
ON_EVERY_ENGINE("a task that has waited fails as any other", linked_own_failures)

// ---- deaths, timeouts, retries

TEST_CASE("the death of a worker arrives with the label of the task where it began") {
    SharedPage page;
    const Counter calls{page};
    Pool pool{2};
    const auto dies = [] {
        ::raise(SIGKILL);
        return ::getpid();
    };
    const SharedFuture<int> root = pool.apply_async(TaskOptions{.label = "root"}, dies).share();
    auto left = pool.apply_async(TaskOptions{.label = "left"}, counted, calls, root);
    auto right = pool.apply_async(TaskOptions{.label = "right"}, counted, calls, root);
    auto both = pool.apply_async(TaskOptions{.label = "both"}, counted_two, calls, std::move(left), std::move(right));
    pid_t victim = 0;
    std::string text;
    try {
        root.get();
        FAIL("it must have died");
    } catch (const WorkerDied& error) {
        victim = error.pid();
        text = error.what();
    }
    try {
        get_soon(both);
        FAIL("it has no value");
    } catch (const WorkerDied& error) {
        CHECK(error.label() == "root");
        CHECK(error.exit_status() == ExitStatus::from_signal(SIGKILL));
        CHECK(error.pid() == victim);
        CHECK(error.what() == text);
    }
    CHECK(calls.value() == 0);
    CHECK(pool.stats().failed == 4);
    // Of one that had waited itself.
    auto middle = pool.apply_async(
        TaskOptions{.label = "middle"},
        [](int n) {
            ::raise(SIGKILL);
            return n;
        },
        pool.apply_async(same, 1));
    try {
        get_soon(pool.apply_async(counted, calls, std::move(middle)));
        FAIL("it has no value");
    } catch (const WorkerDied& error) { CHECK(error.label() == "middle"); }
    // Of one that has left its slot; and of one that was withdrawn, and has.
    Pool small{PoolOptions{.workers = 1, .queue_capacity = 3}};
    auto has_left = small.apply_async(TaskOptions{.label = "left"}, dies);
    const Gate open{page};
    has_left.wait();
    auto holder = small.apply_async(return_late, open, 1);
    const SharedFuture<int> withdrawn = small.apply_async(same, 2).share();
    CHECK(withdrawn.cancel());
    open.set();
    std::vector<Future<int>> fill;
    for (int n = 0; n < 10; ++n) { fill.push_back(small.apply_async(same, n)); }
    try {
        get_soon(small.apply_async(counted, calls, std::move(has_left)));
        FAIL("it has no value");
    } catch (const WorkerDied& error) {
        CHECK(error.label() == "left");
        CHECK(error.exit_status() == ExitStatus::from_signal(SIGKILL));
    }
    CHECK_THROWS_AS(get_soon(small.apply_async(counted, calls, withdrawn)), TaskCancelled);
    CHECK_THROWS_AS(withdrawn.get(), TaskCancelled);
    CHECK(get_soon(holder) == 1);
    CHECK(calls.value() == 0);
}

TEST_CASE("a timeout arrives with its limit at those that depend on the task") {
    SharedPage page;
    const Counter calls{page};
    const Gate never{page};
    Pool pool{2};
    const TaskOptions limited{.timeout = 20ms, .label = "slow"};
    auto late = pool.apply_async(limited, return_late, never, 1);
    std::string text;
    try {
        get_soon(pool.apply_async(counted, calls, pool.apply_async(counted, calls, std::move(late))));
        FAIL("it has no value");
    } catch (const TaskTimedOut& error) {
        CHECK(error.limit() == 20ms);
        text = error.what();
    }
    CHECK(text.find("slow") != std::string::npos);
    CHECK(calls.value() == 0);
    // One that has waited has a limit of its own, which begins with its start.
    const TaskOptions begins_later{.timeout = 2s};
    const Gate open{page};
    auto waited = pool.apply_async(begins_later, same, pool.apply_async(return_late, open, 4));
    // As much time passes while it waits: that of a task which starts after its submission.
    CHECK_THROWS_AS(get_soon(pool.apply_async(begins_later, return_late, never, 1)), TaskTimedOut);
    open.set();
    CHECK(get_soon(waited) == 4);
    CHECK_THROWS_AS(get_soon(pool.apply_async(limited, return_late, never, pool.apply_async(same, 1))), TaskTimedOut);
}

/// Dies at its first call.
int die_once(Counter calls, int n) {
    if (calls.add() == 1) { ::raise(SIGKILL); }
    return n;
}

TEST_CASE("tasks that have waited are retried and those that wait learn of the last try only") {
    SharedPage page;
    Pool pool{2};
    const TaskOptions again{.retries = 1};
    for (int round = 0; round < 5; ++round) {
        const Counter first{page};
        const Counter second{page};
        const Counter root_calls{page};
        auto root = pool.apply_async(counted, root_calls, 5);
        auto dying = pool.apply_async(again, die_once, first, std::move(root));
        auto next = pool.apply_async(again, die_once, second, std::move(dying));
        CHECK(get_soon(pool.apply_async(counted, root_calls, std::move(next))) == 5);
        CHECK(first.value() == 2);
        CHECK(second.value() == 2);
        CHECK(root_calls.value() == 2);
    }
    CHECK(pool.stats().retried == 10);
    CHECK(pool.stats().completed == 20);
    CHECK(pool.stats().failed == 0);
    // The retries are used up.
    const Counter calls{page};
    const auto always = [](Counter count, int n) {
        count.add();
        ::raise(SIGKILL);
        return n;
    };
    CHECK_THROWS_AS(get_soon(pool.apply_async(same, pool.apply_async(again, always, calls, pool.apply_async(same, 1)))),
                    WorkerDied);
    CHECK(calls.value() == 2);
}

// ---- priorities

template <class P>
void linked_priorities() {
    SharedPage page;
    const Gate open{page};
    const Counter order{page};
    P pool{1};
    const SharedFuture<int> root = pool.apply_async(return_late, open, 0).share();
    std::vector<Future<std::int64_t>> places;
    for (int priority = -4; priority < 4; ++priority) {
        for (int n = 0; n < 2; ++n) {
            places.push_back(pool.apply_async(
                TaskOptions{.priority = priority}, [](Counter at, int) { return at.add(); }, order, root));
        }
    }
    open.set();
    for (std::size_t i = 0; i < places.size(); ++i) {
        const std::int64_t level = 7 - static_cast<std::int64_t>(i / 2);  // higher ones first
        const std::int64_t place = get_soon(places[i]);
        CHECK(place > level * 2);
        CHECK(place <= level * 2 + 2);
    }
}
ON_ENGINES_WITH_WORKERS("tasks that have waited start by their priorities", linked_priorities)

}  // namespace

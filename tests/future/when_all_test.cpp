// SPDX-License-Identifier: BSL-1.0
#include <procpool/future/when_all.hpp>

#include "future/coroutine.hpp"
#include "pool/engines.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <future>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace procpool_test;

/// Ends with the number once the gate is open; with an error if it is negative.
int behind(Gate open, int n) {
    open.wait();
    return n < 0 ? fail(n) : n;
}
void behind_void(Gate open) { open.wait(); }

template <class P>
[[nodiscard]] std::vector<Future<int>> several(P& pool, std::initializer_list<int> numbers) {
    std::vector<Future<int>> futures;
    for (const int n : numbers) { futures.push_back(pool.apply_async(n < 0 ? fail : same, n)); }
    return futures;
}

template <class P>
void all_of_a_tuple() {
    P pool{2};
    auto number = pool.apply_async(same, 1);
    auto all = when_all(std::move(number), pool.apply_async([] {}), pool.apply_async([] { return std::string("a"); }));
    STATIC_REQUIRE(std::is_same_v<decltype(all), Future<std::tuple<int, std::monostate, std::string>>>);
    CHECK_FALSE(number.valid());  // NOLINT(bugprone-use-after-move)
    CHECK(all.valid());
    CHECK(get_soon(all) == std::tuple{1, std::monostate{}, std::string("a")});
    CHECK_FALSE(all.valid());
    CHECK(get_soon(when_all(pool.apply_async(same, 5))) == std::tuple{5});
    auto only_moved = when_all(pool.apply_async([] { return std::make_unique<int>(4); }), pool.apply_async(same, 6));
    CHECK(*std::get<0>(get_soon(only_moved)) == 4);
}
ON_EVERY_ENGINE("when_all() of futures of several types gives all results", all_of_a_tuple)

template <class P>
void all_of_a_range() {
    P pool{2};
    std::vector<Future<int>> futures = several(pool, {3, 1, 2});
    auto all = when_all(futures);
    STATIC_REQUIRE(std::is_same_v<decltype(all), Future<std::vector<int>>>);
    for (const Future<int>& one : futures) { CHECK_FALSE(one.valid()); }
    CHECK(get_soon(all) == std::vector{3, 1, 2});
    CHECK(get_soon(when_all(several(pool, {4}))) == std::vector{4});
    auto empty = when_all(std::vector<Future<int>>{});
    CHECK(empty.wait_for(wait_limit) == std::future_status::ready);
    CHECK(empty.get().empty());

    // Other ranges; a type whose vector is none of it.
    CHECK(get_soon(when_all(std::array{pool.apply_async(same, 7), pool.apply_async(same, 8)})) == std::vector{7, 8});
    std::list<Future<bool>> listed;
    for (const bool one : {true, false, true}) {
        listed.push_back(pool.apply_async([](bool b) { return b; }, one));
    }
    CHECK(get_soon(when_all(listed)) == std::vector{true, false, true});
    std::vector<Future<std::unique_ptr<int>>> only_moved;
    for (int n = 0; n < 3; ++n) {
        only_moved.push_back(pool.apply_async([](int m) { return std::make_unique<int>(m); }, n));
    }
    CHECK(*get_soon(when_all(std::move(only_moved))).at(2) == 2);

    std::vector<Future<void>> nothing;
    for (int n = 0; n < 3; ++n) {
        nothing.push_back(pool.apply_async([] {}));
    }
    auto done = when_all(nothing);
    STATIC_REQUIRE(std::is_same_v<decltype(done), Future<void>>);
    get_soon(done);
    get_soon(when_all(std::vector<Future<void>>{}));
}
ON_EVERY_ENGINE("when_all() of a range gives results in its order", all_of_a_range)

template <class P>
void all_wait_for_the_last() {
    SharedPage page;
    const Gate open{page};
    P pool{2};
    auto all = when_all(pool.apply_async(fail, 1), pool.apply_async(behind, open, 2));
    auto range = when_all(several(pool, {5, 6}));
    CHECK(get_soon(range) == std::vector{5, 6});
    CHECK_FALSE(all.ready());
    CHECK(all.wait_for(1ms) == std::future_status::timeout);
    wait_until([&] { return all.running(); }, "the second to run");
    open.set();
    CHECK_THROWS_WITH(get_soon(all), "1");
}
ON_ENGINES_WITH_WORKERS("when_all() is ready when all have ended - also where one has failed before",
                        all_wait_for_the_last)

template <class P>
void all_with_errors() {
    SharedPage page;
    const Gate open{page};
    P pool{2};
    CHECK_THROWS_WITH(get_soon(when_all(several(pool, {1, -2, 3, -4}))), "-2");
    CHECK_THROWS_WITH(get_soon(when_all(pool.apply_async(same, 1), pool.apply_async(fail, 5),
                                        pool.apply_async([] { throw std::domain_error("late"); }))),
                      "5");
    if (has_workers<P>()) {  // the lowest fails last
        auto first = pool.apply_async(behind, open, -1);
        auto second = pool.apply_async(fail, 2);
        second.wait();
        auto all = when_all(std::move(first), std::move(second));
        CHECK_FALSE(all.ready());
        open.set();
        CHECK_THROWS_WITH(get_soon(all), "-1");
    }
    std::vector<Future<void>> nothing;
    nothing.push_back(pool.apply_async([] {}));
    nothing.push_back(pool.apply_async([] { throw std::domain_error("void"); }));
    CHECK_THROWS_AS(get_soon(when_all(nothing)), std::domain_error);

    CHECK_THROWS_AS(when_all(pool.apply_async(same, 1), Future<int>{}), std::future_error);
    std::vector<Future<int>> one_empty = several(pool, {1, 2});
    static_cast<void>(one_empty.back().get());
    CHECK_THROWS_AS(when_all(one_empty), std::future_error);
}
ON_EVERY_ENGINE("when_all() ends in the error of the lowest position", all_with_errors)

template <class P>
void all_were_done() {
    P pool{2};
    std::vector<Future<int>> futures = several(pool, {1, 2, 3});
    wait_all(futures);
    auto all = when_all(futures);
    wait_until([&] { return all.ready(); }, "what is asked only whether it is ready");
    CHECK(all.get() == std::vector{1, 2, 3});
    auto ends = make_deferred<int>();
    ends.promise.set_value(4);
    auto watched = pool.apply_async(same, 5);
    std::atomic<bool> called{false};
    watched.on_done([&] { called = true; });
    CHECK(get_soon(when_all(std::move(ends.future), std::move(watched), pool.apply_async(same, 6).then(same))) ==
          std::tuple{4, 5, 6});
    CHECK(called);
}
ON_EVERY_ENGINE("when_all() of futures that are ready or watched already", all_were_done)

template <class P>
void all_of_all() {
    P pool{2};
    auto inner = when_all(several(pool, {1, 2}));
    auto nested = when_all(std::move(inner), when_all(pool.apply_async(same, 3), pool.apply_async([] {})),
                           when_all(std::vector<Future<void>>{}));
    CHECK(get_soon(nested) == std::tuple{std::vector{1, 2}, std::tuple{3, std::monostate{}}, std::monostate{}});
    std::vector<Future<std::vector<int>>> many;
    for (int n = 0; n < 20; ++n) { many.push_back(when_all(several(pool, {n, n + 1}))); }
    const auto values = get_soon(when_all(many));
    REQUIRE(values.size() == 20);
    CHECK(values.back() == std::vector{19, 20});
    CHECK_THROWS_WITH(get_soon(when_all(when_all(several(pool, {1, -2})), when_all(several(pool, {-3})))), "-2");
}
ON_EVERY_ENGINE("when_all() of what when_all() returned", all_of_all)

template <class P>
void all_of_others() {
    P pool{2};
    ThreadPool other{1};
    auto [promise, deferred] = make_deferred<int>();
    auto all = when_all(other.apply_async(same, 1), pool.apply_async(same, 2), pool.map_async(same, std::vector{3, 4}),
                        std::move(deferred));
    promise.set_value(5);
    CHECK(get_soon(all) == std::tuple{1, 2, std::vector{3, 4}, 5});
}
ON_EVERY_ENGINE("when_all() of futures of pools and maps and promises", all_of_others)

template <class P>
Answer<std::string> awaits_all(P& pool) {
    const auto [number, text] =
        co_await when_all(pool.apply_async(same, 4), pool.apply_async([] { return std::string("b"); }));
    std::string result = text + std::to_string(number);
    auto three = several(pool, {1, 2, 3});
    for (const int n : co_await when_all(three)) { result += std::to_string(n); }
    auto failing = several(pool, {1, -2});
    try {
        co_await when_all(failing);
    } catch (const std::out_of_range& error) { result += error.what(); }
    auto racing = several(pool, {-1, 8, -3});
    const FirstOf<int> first = co_await when_any(racing);
    co_return result + std::to_string(first.value);
}

template <class P>
void all_go_on() {
    P pool{2};
    CHECK(awaits_all(pool).get() == "b4123-28");
    auto sum = when_all(several(pool, {1, 2, 3})).then([](const std::vector<int>& values) {
        int total = 0;
        for (const int n : values) { total += n; }
        return total;
    });
    CHECK(get_soon(sum) == 6);
    bool called = false;
    auto after = when_all(several(pool, {1, -2})).then([&](const std::vector<int>&) { called = true; });
    CHECK_THROWS_WITH(get_soon(after), "-2");
    CHECK_FALSE(called);
    std::atomic<int> calls{0};
    auto all = when_all(several(pool, {1, 2}));
    all.on_done([&] { ++calls; });
    CHECK(get_soon(all) == std::vector{1, 2});
    CHECK(calls == 1);
    std::vector<Future<std::vector<int>>> many;
    for (int n = 0; n < 10; ++n) { many.push_back(when_all(several(pool, {n, n}))); }
    int right = 0;
    for (const std::size_t at : as_completed(many)) {
        right += many[at].get() == std::vector{static_cast<int>(at), static_cast<int>(at)} ? 1 : 0;
    }
    CHECK(right == 10);
    const SharedFuture<std::vector<int>> shared = when_all(several(pool, {1, 2})).share();
    CHECK(shared.get() == std::vector{1, 2});
    CHECK(shared.get() == std::vector{1, 2});
}
ON_EVERY_ENGINE("the future of when_all() goes on as any other", all_go_on)

template <class P>
void all_are_cancelled() {
    SharedPage page;
    const Gate open{page};
    P pool{1};
    auto holder = pool.apply_async(behind, open, 1);
    wait_until([&] { return holder.running(); }, "the holder to run");
    auto all = when_all(several(pool, {1, 2, 3}));
    CHECK(all.cancel());
    CHECK_THROWS_AS(get_soon(all), TaskCancelled);
    auto watched = when_all(several(pool, {1, 2, 3}));
    CHECK(watched.wait_for(0s) == std::future_status::timeout);
    auto after = std::move(watched).then([](const std::vector<int>&) {});
    CHECK(after.cancel());
    CHECK_THROWS_AS(get_soon(after), TaskCancelled);
    CHECK_FALSE(holder.ready());
    CHECK(pool.stats().cancelled == 6);
    // One of them runs.
    auto mixed = when_all(std::move(holder), pool.apply_async(same, 2));
    CHECK(mixed.cancel());
    open.set();
    CHECK_THROWS_AS(get_soon(mixed), TaskCancelled);
    CHECK(pool.stats().cancelled == 7);
    auto done = when_all(several(pool, {1, 2}));
    done.wait();
    CHECK_FALSE(done.cancel());
    CHECK(done.get() == std::vector{1, 2});
    if (has_processes<P>()) {
        const Gate never{page};
        auto runs = when_all(pool.apply_async(behind, never, 1), pool.apply_async(same, 2));
        wait_until([&] { return runs.running(); }, "the first to run");
        CHECK(runs.kill());
        CHECK_THROWS_AS(get_soon(runs), TaskCancelled);
    }
}
ON_ENGINES_WITH_WORKERS("cancelling the future of when_all() cancels all", all_are_cancelled)

template <class P>
void all_dropped() {
    SharedPage page;
    const Counter ran{page};
    P pool{2};
    const auto counts = [](Counter count) { count.add(); };
    static_cast<void>(when_all(pool.apply_async(counts, ran), pool.apply_async(counts, ran)));
    {
        auto asked = when_all(pool.apply_async(counts, ran), pool.apply_async(counts, ran));
        static_cast<void>(asked.ready());
    }
    static_cast<void>(when_all(several(pool, {-1, 2})));
    {
        auto ended = when_all(several(pool, {3, -4}));
        ended.wait();
    }
    CHECK_THROWS_AS(get_soon(when_all(several(pool, {3, -4}))), std::out_of_range);
    wait_until([&] { return pool.stats().unobserved >= 2; }, "the count of what was dropped");
    pool.join();
    CHECK(ran.value() == 4);
    CHECK(pool.stats().unobserved == 2);
}
ON_EVERY_ENGINE("the tasks of a when_all() that is dropped run and their errors count", all_dropped)

template <class P>
void all_outlive() {
    Future<std::vector<int>> before;
    Future<std::vector<int>> later;
    {
        P pool{1};
        before = when_all(several(pool, {1, 2}));
        before.wait();
        later = when_all(several(pool, {3, 4}));
    }
    CHECK(get_soon(before) == std::vector{1, 2});
    CHECK(get_soon(later) == std::vector{3, 4});
}
ON_EVERY_ENGINE("the future of when_all() outlives its pool", all_outlive)

template <class P>
void first_of_several() {
    SharedPage page;
    const Gate open{page};
    P pool{2};
    if (has_workers<P>()) {
        std::vector<Future<int>> futures;
        futures.push_back(pool.apply_async(behind, open, 1));
        futures.push_back(pool.apply_async(same, 2));
        auto first = when_any(futures);
        STATIC_REQUIRE(std::is_same_v<decltype(first), Future<FirstOf<int>>>);
        for (const Future<int>& one : futures) { CHECK_FALSE(one.valid()); }
        const FirstOf<int> value = get_soon(first);
        CHECK(value.index == 1);
        CHECK(value.value == 2);
        open.set();
    }
    const FirstOf<int> only_value = get_soon(when_any(several(pool, {-1, -2, 7, -3})));
    CHECK(only_value.index == 2);
    CHECK(only_value.value == 7);
    CHECK(get_soon(when_any(several(pool, {9}))).value == 9);
    std::vector<Future<std::unique_ptr<int>>> only_moved;
    only_moved.push_back(pool.apply_async([] { return std::make_unique<int>(3); }));
    CHECK(*get_soon(when_any(only_moved)).value == 3);
    std::vector<Future<int>> deferred;
    auto ends = make_deferred<int>();
    deferred.push_back(std::move(ends.future));
    auto never = make_deferred<int>();
    deferred.push_back(std::move(never.future));
    auto of_promise = when_any(deferred);
    ends.promise.set_value(5);
    CHECK(get_soon(of_promise).value == 5);

    std::vector<Future<void>> nothing;
    nothing.push_back(pool.apply_async([] { throw std::domain_error("no"); }));
    nothing.push_back(pool.apply_async([] {}));
    auto done = when_any(nothing);
    STATIC_REQUIRE(std::is_same_v<decltype(done), Future<FirstOf<void>>>);
    CHECK(get_soon(done).index == 1);
}
ON_EVERY_ENGINE("when_any() gives the first value and where it comes from", first_of_several)

template <class P>
void first_of_failures() {
    SharedPage page;
    const Gate open{page};
    P pool{2};
    CHECK_THROWS_WITH(get_soon(when_any(several(pool, {-3, -4, -5}))), "-3");
    if (has_workers<P>()) {  // the first in the range fails last
        std::vector<Future<int>> futures;
        futures.push_back(pool.apply_async(behind, open, -1));
        futures.push_back(pool.apply_async(fail, 2));
        futures.back().wait();
        auto first = when_any(futures);
        CHECK(first.wait_for(1ms) == std::future_status::timeout);
        open.set();
        CHECK_THROWS_WITH(get_soon(first), "-1");
    }
    CHECK_THROWS_AS(when_any(std::vector<Future<int>>{}), std::invalid_argument);
    std::vector<Future<int>> one_empty = several(pool, {1});
    one_empty.emplace_back();
    CHECK_THROWS_AS(when_any(one_empty), std::future_error);
    CHECK(pool.stats().unobserved == 0);
    {
        auto dropped = when_any(several(pool, {-6, -7}));
        dropped.wait();
    }
    wait_until([&] { return pool.stats().unobserved != 0; }, "the count of what was dropped");
    pool.join();
    CHECK(pool.stats().unobserved == 1);
}
ON_EVERY_ENGINE("when_any() ends in the error of the first where all fail", first_of_failures)

template <class P>
void first_is_cancelled() {
    SharedPage page;
    const Gate open{page};
    const Counter ran{page};
    P pool{1};
    auto holder = pool.apply_async(behind_void, open);
    auto first = when_any(several(pool, {1, 2, 3}));
    CHECK(first.cancel());
    CHECK_THROWS_AS(get_soon(first), TaskCancelled);
    CHECK(pool.stats().cancelled == 3);
    CHECK_FALSE(holder.ready());
    // The others run on once there is a value.
    std::vector<Future<int>> counted;
    for (int n = 0; n < 5; ++n) {
        counted.push_back(pool.apply_async(
            [](Counter count, int m) {
                count.add();
                return m;
            },
            ran, n));
    }
    auto value = when_any(counted);
    open.set();
    const FirstOf<int> one = get_soon(value);
    CHECK(one.value == static_cast<int>(one.index));
    get_soon(holder);
    ran.wait_for(5);
    if (has_processes<P>()) {
        const Gate never{page};
        std::vector<Future<int>> runs;
        runs.push_back(pool.apply_async(behind, never, 1));
        auto to_kill = when_any(runs);
        CHECK(to_kill.kill());
        CHECK_THROWS_AS(get_soon(to_kill), TaskCancelled);
    }
}
ON_ENGINES_WITH_WORKERS("cancelling the future of when_any() cancels all", first_is_cancelled)

template <class P>
void all_and_any_by_threads() {
    P pool{2};
    for (int round = 0; round < 20; ++round) {
        auto all = when_all(several(pool, {1, 2, 3, 4}));
        std::atomic<int> right{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&, i, &of = all] {
                if (i == 0) { static_cast<void>(of.ready()); }
                if (i == 1) { static_cast<void>(of.running()); }
                of.wait();
                right += of.ready() ? 1 : 0;
            });
        }
        for (std::thread& thread : threads) { thread.join(); }
        CHECK(right == 4);
        CHECK(all.get() == std::vector{1, 2, 3, 4});
        auto any = when_any(several(pool, {1, 2, 3, 4}));
        std::thread cancels{[&] { static_cast<void>(any.cancel()); }};
        try {
            const FirstOf<int> first = any.get();
            CHECK(first.value == static_cast<int>(first.index) + 1);
        } catch (const TaskCancelled&) {}
        cancels.join();
    }
}
ON_EVERY_ENGINE("threads ask and cancel what when_all() and when_any() returned", all_and_any_by_threads)

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include "future/coroutine.hpp"
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <poll.h>
#include <atomic>
#include <coroutine>
#include <exception>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace procpool_test;

template <class P>
Answer<std::string> walk(P& pool, std::thread::id& place) {
    std::string text;
    for (int i = 0; i < 3; ++i) { text += std::to_string(co_await pool.apply_async(same, i)); }
    place = std::this_thread::get_id();
    co_await pool.apply_async([] {});
    try {
        co_await pool.apply_async(fail, 7);
    } catch (const std::out_of_range& error) { text += error.what(); }
    text += *co_await pool.apply_async([] { return std::make_unique<std::string>("!"); });
    text += std::to_string(co_await pool.apply_async(same, 1).then([](int n) { return n + 1; }));
    co_return text;
}

template <class P>
Answer<int> sum(P& pool, int count) {
    int total = 0;
    for (int i = 0; i < count; ++i) { total += co_await pool.apply_async(same, i); }
    co_return total;
}

template <class P>
Answer<int> fails(P& pool) {
    co_return co_await pool.apply_async(fail, 1);
}

template <class P>
Answer<int> done_before(Future<int> future, std::thread::id& place) {
    const int n = co_await std::move(future);
    place = std::this_thread::get_id();
    co_return n;
}

template <class P>
void awaited() {
    P pool{2};
    std::thread::id place;
    CHECK(walk(pool, place).get() == "0127!2");
    CHECK(place != std::this_thread::get_id());
    CHECK_THROWS_AS(fails(pool).get(), std::out_of_range);
    Future<int> ready = pool.apply_async(same, 5);
    ready.wait();
    CHECK(done_before<P>(std::move(ready), place).get() == 5);
    CHECK(place != std::this_thread::get_id());

    std::vector<Answer<int>> many;
    for (int i = 0; i < 50; ++i) { many.push_back(sum(pool, 20)); }
    for (Answer<int>& one : many) { CHECK(one.get() == 190); }
}
ON_EVERY_ENGINE("a coroutine awaits futures and goes on on the callback thread", awaited)

template <class P>
Answer<std::thread::id> on_queue(P& pool, CompletionQueue& queue, int& result) {
    result = co_await pool.apply_async(same, 6).resume_on(queue.executor());
    co_return std::this_thread::get_id();
}

[[nodiscard]] bool is_readable(int descriptor, int milliseconds) {
    pollfd entry{descriptor, POLLIN, 0};
    return ::poll(&entry, 1, milliseconds) == 1;
}

template <class P>
void resumed_where_told() {
    P pool{2};
    CompletionQueue queue;
    int result = 0;
    Answer<std::thread::id> answer = on_queue(pool, queue, result);
    CHECK(is_readable(queue.native_handle(), 20000));
    CHECK(result == 0);
    CHECK(queue.run_ready() == 1);
    CHECK(answer.get() == std::this_thread::get_id());
    CHECK(result == 6);
    CHECK_FALSE(is_readable(queue.native_handle(), 0));
}
ON_EVERY_ENGINE("a coroutine goes on where its executor says", resumed_where_told)

TEST_CASE("a function of a completion queue may post another when it is destroyed") {
    CompletionQueue queue;
    int runs = 0;
    const auto post = [&](int*) { queue.post([&] { ++runs; }); };
    queue.post([posts_at_its_end = std::unique_ptr<int, decltype(post)>{&runs, post}] {});
    CHECK(queue.run_ready() == 1);  // in the library's hands, not under its lock
    CHECK(runs == 0);
    CHECK(queue.run_ready() == 1);
    CHECK(runs == 1);
}

template <class P>
void loop_with_a_descriptor() {
    P pool{2};
    CompletionQueue queue;
    CHECK_FALSE(is_readable(queue.native_handle(), 0));
    CHECK(queue.run_ready() == 0);
    int total = 0;
    int errors = 0;
    int left = 0;
    const int count = static_cast<int>(times(1000));
    const auto add = [&](int i) {
        ++left;
        queue.add(pool.apply_async(i % 10 == 3 ? fail : same, i), [&](Future<int> future) {
            --left;
            try {
                total += future.get();
            } catch (const std::out_of_range&) { ++errors; }
        });
    };
    for (int i = 0; i < count; ++i) { add(i); }
    while (left > 0) {
        if (!is_readable(queue.native_handle(), 20000)) { FAIL("nothing for 20 s"); }
        queue.run_ready();
    }
    int expected = 0;
    for (int i = 0; i < count; ++i) { expected += i % 10 == 3 ? 0 : i; }
    CHECK(total == expected);
    CHECK(errors == count / 10);
    CHECK_FALSE(is_readable(queue.native_handle(), 0));

    // Callbacks that a function adds run in the next call; one that throws does not cost those after it.
    std::vector<int> order;
    queue.post([&] {
        order.push_back(1);
        queue.post([&] { order.push_back(4); });
    });
    queue.post([&] {
        order.push_back(2);
        throw std::runtime_error("from the loop");
    });
    queue.post([&] { order.push_back(3); });
    CHECK_THROWS_AS(queue.run_ready(), std::runtime_error);
    CHECK(is_readable(queue.native_handle(), 0));
    CHECK(queue.run_ready() == 2);
    CHECK(order == std::vector{1, 2, 3, 4});
    CHECK_FALSE(is_readable(queue.native_handle(), 0));
}
ON_EVERY_ENGINE("a file descriptor tells an event loop that futures are ready", loop_with_a_descriptor)

TEST_CASE("a completion queue may be gone before its futures are ready", "[thread]") {
    ThreadPool pool{1};
    int called = 0;
    auto [promise, late] = make_deferred<int>();
    {
        CompletionQueue queue;
        queue.add(pool.apply_async(same, 1), [&](Future<int>) { ++called; });
        queue.add(std::move(late), [&](Future<int>) { ++called; });
    }
    promise.set_value(1);
    CHECK(get_soon(pool.apply_async(same, 2).then(same)) == 2);
    CHECK(called == 0);
}

}  // namespace

// SPDX-License-Identifier: BSL-1.0
// Futures can be chained, call a function when they are ready, be taken as they end, and be awaited in coroutines.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <chrono>
#include <coroutine>
#include <exception>
#include <future>
#include <string>
#include <thread>
#include <vector>

int square(int n) { return n * n; }
int sleep_for(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds{milliseconds});
    return milliseconds;
}

/// The least that a coroutine must return.
struct Detached {
    struct promise_type {
        Detached get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

// [callbacks]
Detached sum_of_squares(procpool::Pool& pool, std::promise<int>& result) {
    int sum = 0;
    for (int n = 1; n <= 3; ++n) { sum += co_await pool.apply_async(square, n); }
    result.set_value(sum);
}
// [/callbacks]

int main() {
    procpool::ProcessPool pool{3};

    // [callbacks]
    // Continuations run on one thread of the program, and get what get() returns.
    procpool::Future<std::string> text = pool.apply_async(square, 6).then([](int n) { return n + 6; }).then([](int n) {
        return fmt::format("<{}>", n);
    });
    // [/callbacks]
    fmt::print("then: {}\n", text.get());

    // A function that returns a future is a next step: the result is that future's, and no thread waits for it.
    procpool::Future<int> twice = pool.apply_async(square, 3).then([&](int n) { return pool.apply_async(square, n); });
    fmt::print("then, by a task: {}\n", twice.get());

    procpool::Future<int> noticed = pool.apply_async(square, 7);
    noticed.on_done([] { fmt::print("on_done: a task has ended\n"); });
    noticed.wait();  // also for the function

    std::vector<procpool::Future<int>> futures;
    for (const int milliseconds : {300, 1, 150}) { futures.push_back(pool.apply_async(sleep_for, milliseconds)); }
    for (const std::size_t position : procpool::as_completed(futures)) {
        fmt::print("as_completed: {} ms\n", futures[position].get());
    }

    std::promise<int> result;
    sum_of_squares(pool, result);
    fmt::print("co_await: {}\n", result.get_future().get());
}

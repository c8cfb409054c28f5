// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace procpool_test;

TEST_CASE("a deferred future is ready once its promise is set", "[thread]") {
    auto [promise, future] = make_deferred<std::string>();
    CHECK(future.valid());
    CHECK_FALSE(future.ready());
    CHECK(future.running());
    CHECK(future.wait_for(5ms) == std::future_status::timeout);
    std::thread sets{[promise = std::move(promise)]() mutable {
        std::this_thread::sleep_for(5ms);
        promise.set_value(3, 'x');
        bool again = false;
        try {
            promise.set_value("again");
        } catch (const std::future_error&) { again = true; }
        if (!again) { std::terminate(); }
    }};
    future.wait();
    CHECK(future.ready());
    CHECK_FALSE(future.running());
    CHECK(future.get() == "xxx");
    sets.join();
    CHECK_FALSE(future.valid());
    CHECK_FALSE(future.ready());
    CHECK_THROWS_AS(future.get(), std::future_error);
    future.wait();  // nothing to wait for
    CHECK_FALSE(future.cancel());
    CHECK_FALSE(future.kill());
    CHECK_THROWS_AS(future.on_done([] {}), std::future_error);

    auto none = make_deferred<void>();
    none.promise.set_value();
    none.future.get();
    auto moved = make_deferred<std::unique_ptr<int>>();
    moved.promise.set_value(std::make_unique<int>(4));
    CHECK(*moved.future.get() == 4);
}

TEST_CASE("a deferred future ends in an exception also when nobody keeps its promise", "[thread]") {
    auto failed = make_deferred<int>();
    failed.promise.set_exception(std::make_exception_ptr(std::out_of_range("no")));
    CHECK_THROWS_AS(failed.future.get(), std::out_of_range);
    auto broken = make_deferred<int>();
    int called = 0;
    broken.future.on_done([&] { ++called; });
    broken.promise = Promise<int>{};
    broken.future.wait();
    CHECK(called == 1);
    CHECK_THROWS_AS(broken.future.get(), std::future_error);
    auto dropped = make_deferred<int>();
    dropped.future = Future<int>{};
    dropped.promise.set_value(1);
}

TEST_CASE("a deferred future is cancelled and killed by its hooks", "[thread]") {
    int cancels = 0;
    int kills = 0;
    const auto lives = std::make_shared<int>(0);
    auto [promise, future] = make_deferred<int>({.cancel =
                                                     [&cancels, lives] {
                                                         ++cancels;
                                                         return true;
                                                     },
                                                 .kill =
                                                     [&] {
                                                         ++kills;
                                                         return true;
                                                     },
                                                 .running = [] { return false; }});
    CHECK(future.cancel());
    CHECK(future.kill());
    CHECK_FALSE(future.running());
    CHECK_FALSE(future.ready());
    promise.set_exception(std::make_exception_ptr(TaskCancelled{}));
    CHECK(lives.use_count() == 1);
    CHECK_FALSE(future.cancel());
    CHECK_FALSE(future.kill());
    CHECK(cancels == 1);
    CHECK(kills == 1);
    CHECK_THROWS_AS(future.get(), TaskCancelled);
    auto plain = make_deferred<int>();
    CHECK_FALSE(plain.future.cancel());
    CHECK_FALSE(plain.future.kill());
}

TEST_CASE("deferred futures and futures of tasks are waited for together", "[thread]") {
    ThreadPool pool{1};
    for (int round = 0; round < 50; ++round) {
        std::vector<Future<int>> futures;
        std::vector<Promise<int>> promises;
        for (int i = 0; i < 20; ++i) {
            auto [promise, future] = make_deferred<int>();
            futures.push_back(std::move(future));
            promises.push_back(std::move(promise));
            futures.push_back(pool.apply_async([](int n) { return n; }, i));
        }
        std::thread sets{[&] {
            for (int i = 0; i < 20; ++i) { promises[static_cast<std::size_t>(i)].set_value(i); }
        }};
        int sum = 0;
        for (const std::size_t at : as_completed(futures)) { sum += futures[at].get(); }
        sets.join();
        CHECK(sum == 2 * 190);
    }
}

TEST_CASE("many threads wait for/cancel and ask a deferred future while it is decided", "[thread]") {
    for (int round = 0; round < 100; ++round) {
        int written = 0;
        auto [promise, future] = make_deferred<int>({.cancel = [] { return false; }});
        future.on_done([&] { ++written; });
        std::atomic<int> right{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&, i, &of = future] {
                if (i == 0) { static_cast<void>(of.cancel()); }
                if (i == 1) { static_cast<void>(of.running()); }
                of.wait();
                right += written;
            });
        }
        promise.set_value(1);
        for (std::thread& thread : threads) { thread.join(); }
        CHECK(right == 3);
        CHECK(future.get() == 1);
    }
}

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"

#include <fmt/core.h>
#include <atomic>
#include <csignal>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

TEST_CASE("statistics are printable") {
    const PoolStats stats{.submitted = 9,
                          .completed = 1,
                          .failed = 2,
                          .cancelled = 3,
                          .timed_out = 4,
                          .retried = 5,
                          .unobserved = 6,
                          .workers_started = 7,
                          .workers_died = 8,
                          .workers_recycled = 9};
    CHECK(fmt::format("{}", stats) ==
          "9 submitted, 1 completed, 2 failed, 3 cancelled, 4 timed out, 5 retried, 6 unobserved; workers: 7 "
          "started, 8 died, 9 recycled");
}

/// Reads a pool's statistics from several threads until stopped.
template <class P>
class Observers {
public:
    explicit Observers(const P& pool) {
        for (int i = 0; i < 2; ++i) {
            threads_.emplace_back([this, &pool] {
                PoolStats last;
                while (!stop_.load()) {
                    look(pool, last);
                    std::this_thread::yield();
                }
            });
        }
    }
    Observers(const Observers&) = delete;
    Observers& operator=(const Observers&) = delete;
    ~Observers() {
        wait_until([&] { return looks.load() > 0; }, "a look");
        stop_.store(true);
        for (std::thread& thread : threads_) { thread.join(); }
        CHECK(wrong.load() == 0);
        CHECK(slowest.load() < std::chrono::nanoseconds{wait_limit}.count());
    }

    std::atomic<std::size_t> looks{0};
    std::atomic<std::size_t> wrong{0};
    std::atomic<std::int64_t> slowest{0};

private:
    void look(const P& pool, PoolStats& last) {
        const auto start = std::chrono::steady_clock::now();
        const PoolStats now = pool.stats();
        const std::vector<WorkerInfo> workers = pool.workers();
        const auto took = since(start).count();
        if (took > slowest.load()) { slowest.store(took); }
        // Counters do not go back. A lost task counts as failed for a moment and then, perhaps, as killed.
        bool good = now.submitted >= last.submitted && now.completed + pool.size() >= last.completed &&
                    now.cancelled >= last.cancelled && now.retried >= last.retried &&
                    now.unobserved >= last.unobserved && now.workers_started >= last.workers_started &&
                    now.workers_died >= last.workers_died && now.workers_recycled >= last.workers_recycled;
        std::set<std::size_t> indices;
        for (const WorkerInfo& worker : workers) {
            indices.insert(worker.index);
            good = good && worker.pid > 0 && worker.index < pool.size();
        }
        good = good && workers.size() <= 2 * pool.size() && !fmt::format("{}", now).empty();
        last = now;
        ++looks;
        if (!good) { ++wrong; }
    }

    std::atomic<bool> stop_{false};
    std::vector<std::thread> threads_;
};

TEST_CASE("LOG-04 statistics can be had at any time - from any thread - processes") {
    for (int way = 0; way < 3; ++way) {
        Pool pool{PoolOptions{.workers = 2, .max_tasks_per_worker = 20}};
        const Observers<Pool> observers{pool};
        const auto end = std::chrono::steady_clock::now() + 500ms;
        for (int round = 0; std::chrono::steady_clock::now() < end; ++round) {
            std::vector<Future<int>> futures;
            for (int n = 0; n < 20; ++n) {
                futures.push_back(pool.apply_async([](int i) { return i; }, n));
            }
            if (round % 3 == 0) {
                CHECK_THROWS_AS(pool.apply([] { ::raise(SIGKILL); }), WorkerDied);
            }
            for (int n = 0; n < 20; ++n) { CHECK(get_soon(futures[static_cast<std::size_t>(n)]) == n); }
        }
        CHECK(pool.stats().failed == pool.stats().workers_died);
        auto late = pool.apply_async([] { std::this_thread::sleep_for(20ms); });
        if (way == 0) { pool.close(); }
        if (way == 1) { pool.terminate(); }
        if (way == 2) { pool.kill(); }
        pool.join();
        CHECK(pool.workers().empty());
        CHECK(pool.stats().submitted > 0);
    }
}

TEST_CASE("LOG-04 statistics can be had at any time - from any thread - threads", "[thread]") {
    ThreadPool pool{2};
    const Observers<ThreadPool> observers{pool};
    for (int n = 0; n < 500; ++n) {
        auto future = pool.apply_async([](int i) { return i; }, n);
        CHECK(get_soon(future) == n);
    }
    pool.join();
    CHECK(pool.stats().completed == 500);
}

}  // namespace

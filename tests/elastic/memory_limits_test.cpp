// SPDX-License-Identifier: BSL-1.0
// PoolOptions::max_rss and kill_rss.
#include "faults/whole.hpp"
#include "log/records.hpp"

#include <procpool/os/process_memory.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

constexpr std::size_t mega = std::size_t{1} << 20;

/// Keeps touched memory in this process for as long as it lives.
void leak(std::size_t bytes) {
    auto* const kept = new char[bytes];
    std::memset(kept, 1, bytes);
    static std::vector<char*> all;
    all.push_back(kept);
}

/// Takes memory until it is killed, but no more than a machine can stand where nobody does that.
[[noreturn]] void burst() {
    for (int i = 0; i < 600; ++i) {
        leak(mega);
        std::this_thread::sleep_for(1ms);
    }
    for (;;) { ::pause(); }
}

[[nodiscard]] std::uint64_t own_memory() { return detail::os::own_memory(::getpid()).value(); }

}  // namespace

TEST_CASE("a task that takes memory without end is killed and says so and no other task is touched") {
    if (under_sanitizer) { return; }  // whose own memory counts
    constexpr std::uint64_t limit = 64 * mega;
    SharedPage page;
    const Gate open{page};
    const Counter begun{page};
    Pool pool{PoolOptions{.workers = 3, .kill_rss = limit}};
    const auto calm = [](Counter others, Gate gate) {
        others.add();
        gate.wait();
        return ::getpid();
    };
    auto first = pool.apply_async(calm, begun, open);
    auto second = pool.apply_async(calm, begun, open);
    begun.wait_for(2);
    auto bomb = pool.apply_async(TaskOptions{.label = "bomb"}, [] { burst(); });
    try {
        get_soon(bomb);
        FAIL("it returned");
    } catch (const MemoryLimitExceeded& e) {
        CHECK(e.limit() == limit);
        CHECK(e.resident() > limit);
        CHECK(e.exit_status() == ExitStatus::from_signal(SIGKILL));
        CHECK(e.pid() > 0);
        CHECK(e.label() == "bomb");
        CHECK_FALSE(e.item());
        CHECK(std::string{e.what()}.starts_with("procpool: task 'bomb' exceeded its memory limit of 67.11 MB, with "));
    }
    open.set();
    CHECK(get_soon(first) != get_soon(second));
    const PoolStats stats = pool.stats();
    CHECK(stats.memory_exceeded == 1);
    CHECK(stats.completed == 2);
    CHECK(stats.failed == 0);
    CHECK(stats.timed_out == 0);
    CHECK(stats.workers_died == 1);
    CHECK(to_string(stats).ends_with("; 1 over the memory limit"));
    wait_for_full_set(pool, 20s);
}

TEST_CASE("a task over the memory limit runs again as often as its retries say") {
    if (under_sanitizer) { return; }
    Records log{LogLevel::warning};
    Pool pool{PoolOptions{.workers = 2, .kill_rss = 64 * mega}};
    auto task = pool.apply_async(TaskOptions{.retries = 2}, [] {
        if (this_task::attempt() < 2) { burst(); }
        return this_task::attempt();
    });
    CHECK(get_soon(task) == 2);
    CHECK(pool.stats().retried == 2);
    CHECK(pool.stats().memory_exceeded == 0);
    auto other = pool.apply_async(TaskOptions{.retries = 1}, [] { burst(); });
    CHECK_THROWS_AS(get_soon(other), MemoryLimitExceeded);
    CHECK(pool.stats().retried == 3);
    CHECK(pool.stats().memory_exceeded == 1);
    wait_until([&] { return log.with("exceeded its memory limit of 67.11 MB").size() == 4; }, "the log");
    CHECK(log.with("it is run again").size() == 3);
}

TEST_CASE("an item over the memory limit is known by its index and costs no other item") {
    if (under_sanitizer) { return; }
    const auto f = [](int n) {
        if (n == 17 || (n == 3 && this_task::attempt() == 0)) { burst(); }
        return n * n;
    };
    std::vector<int> items(40);
    std::iota(items.begin(), items.end(), 0);
    Pool pool{PoolOptions{.workers = 2, .kill_rss = 64 * mega}};
    const auto outcomes = pool.map_outcomes(MapOptions{.chunk_size = 8, .retries = 1}, f, items);
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i != 17) {
            CHECK(outcomes[i].value() == static_cast<int>(i * i));
            continue;
        }
        REQUIRE(!outcomes[i].has_value());
        CHECK(item_of(outcomes[i].error()) == 17);
        CHECK_THROWS_AS(outcomes[i].value(), MemoryLimitExceeded);
    }
    CHECK(pool.stats().retried == 2);
    CHECK(pool.stats().memory_exceeded == 1);
    try {
        static_cast<void>(pool.map(f, items));
        FAIL("it returned");
    } catch (const MemoryLimitExceeded& e) {
        CHECK(e.item());
        CHECK(e.resident() > e.limit());
    }
}

TEST_CASE("a task of a task and one that depends on another tell of the memory limit too") {
    if (under_sanitizer) { return; }
    SharedPage page;
    const Gate begun{page};
    Pool pool{PoolOptions{.workers = 2, .kill_rss = 64 * mega}};
    const auto told = [](std::uint64_t resident, std::uint64_t limit) {
        return resident > limit && limit == 64 * mega;
    };
    auto outer = pool.apply_async(
        [told](Gate inner_begun) {
            auto inner = this_worker::submit(
                [](Gate its) {
                    its.set();
                    burst();
                },
                inner_begun);
            inner_begun.wait();  // on the other worker
            try {
                inner.get();
            } catch (const MemoryLimitExceeded& e) { return told(e.resident(), e.limit()); }
            return false;
        },
        begun);
    CHECK(get_soon(outer));
    wait_for_full_set(pool, 20s);
    {  // both run in one process, which is killed
        Pool alone{PoolOptions{.workers = 1, .kill_rss = 64 * mega}};
        auto waits = alone.apply_async([] { this_worker::submit([] { burst(); }).get(); });
        CHECK_THROWS_AS(get_soon(waits), MemoryLimitExceeded);
        wait_until([&] { return alone.stats().memory_exceeded == 2; }, "both to be settled");
    }
    auto producer = pool.apply_async([]() -> int { burst(); });
    auto dependant = pool.apply_async([](int n) { return n; }, std::move(producer));
    try {
        get_soon(dependant);
        FAIL("it returned");
    } catch (const MemoryLimitExceeded& e) { CHECK(told(e.resident(), e.limit())); }
}

TEST_CASE("what a worker shares or has inherited does not count as its memory") {
    if (under_sanitizer) { return; }
    const std::vector<char> inherited(200 * mega, 'x');
    SharedArray<char> shared{200 * mega};
    Records log{LogLevel::warning};
    Pool pool{PoolOptions{.workers = 1, .max_rss = 50 * mega, .kill_rss = 100 * mega}};
    std::vector<Future<std::string>> large;
    const pid_t worker = pool.apply([] { return ::getpid(); });
    for (int i = 0; i < 12; ++i) {  // they stay where the worker has written them
        large.push_back(pool.apply_async([] { return std::string(10 * mega, 'y'); }));
    }
    auto task = pool.apply_async(
        [](std::span<char> all, std::string argument) {
            std::ranges::fill(all, 'z');
            std::this_thread::sleep_for(350ms);  // time to be looked at
            return argument.size() + static_cast<std::size_t>(all.back());
        },
        shared.span(), std::string(10 * mega, 'a'));
    CHECK(get_soon(task) == 10 * mega + 'z');
    for (auto& one : large) { CHECK(get_soon(one).size() == 10 * mega); }
    CHECK(pool.apply([] { return ::getpid(); }) == worker);
    CHECK(inherited[inherited.size() - 1] == 'x');
    CHECK(log.with("memory").empty());
}

TEST_CASE("a leak of 10 MB an item never gets a worker to twice its limit and all results are right") {
    if (under_sanitizer) { return; }
    constexpr std::uint64_t limit = 60 * mega;
    SharedPage page;
    const Counter most{page};
    Pool pool{PoolOptions{.workers = 2, .max_rss = limit}};
    const detail::task::Board* const board = &board_of(pool);
    std::vector<int> items(60);
    std::iota(items.begin(), items.end(), 0);
    static std::uint64_t at_first = 0;
    const auto address = reinterpret_cast<std::uintptr_t>(board);
    const auto results =
        pool.map(MapOptions{.chunk_size = 20},
                 bind_front(
                     [](std::uintptr_t its_board, Counter highest, int n) {
                         if (at_first == 0) { at_first = own_memory(); }
                         leak(10 * mega);
                         const std::uint64_t own = own_memory() - at_first;
                         std::int64_t seen = highest.value();
                         if (static_cast<std::int64_t>(own) > seen) {
                             highest.add(static_cast<std::int64_t>(own) - seen);
                         }
                         // However slow the supervisor is: above its limit, the worker is told to leave before it gets
                         // further.
                         const auto& its = *reinterpret_cast<const detail::task::Board*>(its_board);
                         if (own > limit + 20 * mega) {
                             wait_until(
                                 [&] {
                                     return std::ranges::any_of(its.seats(), [](const detail::task::Seat& seat) {
                                         return seat.pid.load() == ::getpid() &&
                                                seat.dismissal.load() != detail::task::Dismissal::none;
                                     });
                                 },
                                 "the worker to be told to leave");
                         }
                         return n * n;
                     },
                     address, most),
                 items);
    for (std::size_t i = 0; i < items.size(); ++i) { CHECK(results[i] == static_cast<int>(i * i)); }
    CHECK(most.value() < static_cast<std::int64_t>(2 * limit));
    CHECK(most.value() > static_cast<std::int64_t>(limit));
    const PoolStats stats = pool.stats();
    CHECK(stats.workers_recycled >= 3);
    CHECK(stats.workers_died == 0);
    CHECK(stats.retried == 0);
    wait_until([&] { return board->control.orders.look().nothing(); }, "the orders to be taken back");
}

TEST_CASE("a worker with too much memory is replaced also when it has nothing to do") {
    if (under_sanitizer) { return; }
    const bool soft = GENERATE(true, false);
    const PoolOptions options =
        soft ? PoolOptions{.workers = 2, .max_rss = 40 * mega} : PoolOptions{.workers = 2, .kill_rss = 40 * mega};
    Pool pool{options};
    auto task = pool.apply_async(TaskOptions{.retries = 100}, [] {
        // A hard limit may be noticed before it ends.
        leak(60 * mega);
        return ::getpid();
    });
    const pid_t large = get_soon(task);
    wait_until([&] { return pool.stats().workers_recycled == 1; }, "the worker to be replaced");
    wait_for_full_set(pool, 20s);
    for (const WorkerInfo& info : pool.workers()) { CHECK(info.pid != large); }
    CHECK(board_of(pool).control.orders.look().nothing());
}

TEST_CASE("a pool whose initializer takes more than the limit runs an item in each life and says so once") {
    if (under_sanitizer) { return; }
    const bool many_items = GENERATE(false, true);
    Records log{LogLevel::warning};
    Pool pool{PoolOptions{.workers = 2, .initializer = [] { leak(60 * mega); }, .max_rss = 40 * mega}};
    constexpr std::size_t count = 24;
    if (many_items) {
        std::vector<int> items(count);
        std::iota(items.begin(), items.end(), 0);
        const auto results = pool.map(
            [](int n) {
                std::this_thread::sleep_for(30ms);
                return n + 1;
            },
            items);
        for (std::size_t i = 0; i < count; ++i) { CHECK(results[i] == static_cast<int>(i) + 1); }
    }
    wait_until([&] { return log.with("the limit is too low").size() == 1; }, "a warning");
    // No life ends without an item.
    CHECK(pool.stats().workers_recycled <= (many_items ? count : 0));
    wait_for_full_set(pool, 20s);
    const std::uint64_t recycled = pool.stats().workers_recycled;
    std::this_thread::sleep_for(350ms);
    CHECK(pool.stats().workers_recycled <= std::max<std::uint64_t>(recycled, many_items ? count : 0));
    CHECK(log.with("the limit is too low").size() == 1);
    CHECK(pool.stats().workers_died == 0);
}

TEST_CASE("recycling by memory and by number and closing go together") {
    if (under_sanitizer) { return; }
    Pool pool{PoolOptions{.workers = 3, .max_tasks_per_worker = 7, .max_rss = 30 * mega}};
    std::vector<Future<int>> futures;
    for (int n = 0; n < 100; ++n) {
        futures.push_back(pool.apply_async(
            [](int i) {
                leak(6 * mega);
                std::this_thread::sleep_for(10ms);
                return i;
            },
            n));
    }
    pool.close();
    CHECK(pool.join_for(20s));
    for (int n = 0; n < 100; ++n) { CHECK(futures[static_cast<std::size_t>(n)].get() == n); }
    CHECK(pool.stats().workers_died == 0);
}

TEST_CASE("pools without processes ignore limits of memory", "[thread]") {
    const PoolOptions options{.workers = 2, .max_rss = 1, .kill_rss = 1, .memory_reserve = SIZE_MAX};
    ThreadPool threads{options};
    InlinePool here{options};
    for (int n = 0; n < 20; ++n) {
        auto future = threads.apply_async(same, n);
        CHECK(get_soon(future) == n);
        CHECK(here.apply(same, n) == n);
    }
    CHECK(threads.stats().workers_recycled == 0);
}

TEST_CASE("a hard limit below the soft one is refused") {
    CHECK_THROWS_AS((Pool{PoolOptions{.max_rss = 2, .kill_rss = 1}}), std::invalid_argument);
    CHECK_NOTHROW(check(PoolOptions{.max_rss = 2, .kill_rss = 2}));
    CHECK_NOTHROW(check(PoolOptions{.max_rss = 2}));
}

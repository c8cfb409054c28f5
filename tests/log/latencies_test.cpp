// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"

#include <fmt/core.h>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

using namespace procpool_test;

namespace {

using Counts = std::array<std::uint64_t, 64>;

[[nodiscard]] bool are_in_order(const Percentiles& of) {
    return std::chrono::nanoseconds{0} < of.p50 && of.p50 <= of.p95 && of.p95 <= of.p99;
}

void spend(std::chrono::nanoseconds time) {
    const auto start = std::chrono::steady_clock::now();
    while (since(start) < time) {}
}

TEST_CASE("percentiles lie in the places that hold them") {
    Counts counts{};
    counts[3] = 90;  // from 8 to 16 ticks
    counts[10] = 8;
    counts[20] = 2;
    const Percentiles of = detail::pool::percentiles_of(counts, 2.0);
    CHECK(of.count == 100);
    CHECK((of.p50 >= 16ns && of.p50 <= 32ns));
    CHECK((of.p95 >= 2048ns && of.p95 <= 4096ns));
    CHECK((of.p99 >= 2097152ns && of.p99 <= 4194304ns));
}

TEST_CASE("percentiles of no tasks are zero") {
    const Percentiles of = detail::pool::percentiles_of({}, 1.0);
    CHECK((of.count == 0 && of.p50 == 0ns && of.p99 == 0ns));
}

TEST_CASE("percentiles of what a task has overwritten are in order") {
    Counts counts{};
    for (std::size_t i = 0; i < counts.size(); ++i) {
        counts[i] = UINT64_MAX - i;
        CHECK(are_in_order(detail::pool::percentiles_of(counts, 1.0)));
    }
    counts = {};
    counts[63] = 1;
    CHECK(are_in_order(detail::pool::percentiles_of(counts, 1e9)));
}

TEST_CASE("percentiles are printed where times were measured") {
    PoolStats stats;
    CHECK(to_string(stats).find("waiting") == std::string::npos);
    stats.waiting = {.count = 3, .p50 = 999ns, .p95 = 12'340ns, .p99 = 2s};
    stats.running = {.count = 3, .p50 = 1ms, .p95 = 1ms, .p99 = 1ms};
    const std::string text = fmt::format("{}", stats);
    CHECK(text.substr(text.find("recycled")) ==
          "recycled; waiting: 50 % up to 999 ns, 95 % up to 12.3 us, 99 % up to 2 s; running: 50 % up to 1 ms, 95 % up "
          "to 1 ms, 99 % up to 1 ms");
}

template <class P>
void nobody_asked() {
    P pool{2};
    for (int i = 0; i < 10; ++i) { CHECK(pool.apply(same, i) == i); }
    const PoolStats stats = pool.stats();
    CHECK((stats.waiting.count == 0 && stats.waiting.p99 == 0ns));
    CHECK((stats.running.count == 0 && stats.running.p99 == 0ns));
}
ON_EVERY_ENGINE("times are not measured unless they are asked for", nobody_asked)

template <class P>
void each_task_counts() {
    P pool{PoolOptions{.workers = 2, .latencies = true}};
    CHECK(pool.stats().running.count == 0);
    for (int i = 0; i < 100; ++i) { CHECK(pool.apply(same, i) == i); }
    CHECK_THROWS_AS(pool.apply(fail, 1), std::out_of_range);
    const PoolStats stats = pool.stats();
    CHECK(stats.waiting.count == 101);
    CHECK(stats.running.count == 101);
    CHECK(are_in_order(stats.waiting));
    CHECK(are_in_order(stats.running));
}
ON_EVERY_ENGINE("each of the first tasks is measured", each_task_counts)

template <class P>
void each_item_counts() {
    P pool{PoolOptions{.workers = 2, .latencies = true}};
    std::vector<int> items(500, 1);
    const auto slow = [](int n) {
        spend(20us);
        return n;
    };
    CHECK(pool.map(slow, items) == items);
    const PoolStats stats = pool.stats();
    CHECK(stats.waiting.count == items.size());
    CHECK(stats.running.count == items.size());
    CHECK(stats.running.p50 >= 10us);  // of an item, and within a factor of two
}
ON_EVERY_ENGINE("each item of a map is measured", each_item_counts)

template <class P>
void many_tasks() {
    P pool{PoolOptions{.workers = 2, .latencies = true}};
    constexpr std::uint64_t many = 5000;
    constexpr std::uint64_t most = 32;  // that one stands for
    std::vector<Future<int>> futures;
    for (std::uint64_t i = 0; i < many; ++i) { futures.push_back(pool.apply_async(same, 1)); }
    for (Future<int>& future : futures) { CHECK(get_soon(future) == 1); }
    for (const Percentiles& of : {pool.stats().waiting, pool.stats().running}) {
        CHECK((of.count >= many && of.count < many + most));
        CHECK(are_in_order(of));
    }
}
ON_EVERY_ENGINE("one of many tasks stands for several", many_tasks)

template <class P>
void known_times() {
    SharedPage page;
    const Gate started{page};
    const Gate may_end{page};
    P pool{PoolOptions{.workers = 1, .latencies = true}};
    auto first = pool.apply_async(
        [](Gate here, Gate release) {
            here.set();
            release.wait();
        },
        started, may_end);
    started.wait();
    auto second = pool.apply_async(same, 2);
    constexpr auto time = 20ms;
    spend(time);
    may_end.set();
    get_soon(first);
    CHECK(get_soon(second) == 2);
    const PoolStats stats = pool.stats();
    CHECK(stats.waiting.p99 >= time / 2);  // the second one waited
    CHECK(stats.running.p99 >= time / 2);  // and the first one ran
}
ON_ENGINES_WITH_WORKERS("a task that is held back has waited and one that is held up has run", known_times)

TEST_CASE("times outlive the workers that measured them") {
    Pool pool{PoolOptions{.workers = 1, .max_tasks_per_worker = 2, .latencies = true}};
    for (std::uint64_t round = 1; round <= 5; ++round) {
        CHECK(pool.apply(same, 1) == 1);
        CHECK_THROWS_AS(pool.apply([] { ::raise(SIGKILL); }), WorkerDied);
        for (int i = 0; i < 3; ++i) { CHECK(pool.apply(same, i) == i); }
        CHECK(pool.stats().running.count == 4 * round);  // a task that is killed has no end of its own
    }
    CHECK(pool.stats().workers_recycled > 0);
    pool.join();
    CHECK(pool.stats().waiting.count == 20);
}

}  // namespace

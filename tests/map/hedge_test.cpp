// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/hedges.hpp>

#include "map/journaled.hpp"
#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <ranges>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace hedge_test {  // apart from sources that are compiled with this one
namespace {

constexpr std::size_t count = 40;
constexpr int slow = 33;  // the item that does not end, near the end of all
constexpr int last = count - 1;

int hang() {
    for (;;) { ::pause(); }
}

/// The words by which the runs of the slow item know of each other.
struct Course {
    Counter runs;
    Counter first_pid;
    Counter second_pid;
    Gate gate;

    explicit Course(SharedPage& page) : runs(page), first_pid(page), second_pid(page), gate(page) {}
};

/// The slow item never ends at its first run.
struct HangsOnce {
    Course course;

    int operator()(int i) const {
        if (i == slow && course.runs.add() == 1) {
            course.first_pid.add(::getpid());
            hang();
        }
        return i * i;
    }
};

/// Whether the process has ended; its parent may have yet to hear of it.
[[nodiscard]] bool is_gone(std::int64_t pid) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    std::string stat;
    std::getline(file, stat);
    const std::size_t name_end = stat.rfind(") ");
    return name_end == std::string::npos || stat[name_end + 2] == 'Z' || stat[name_end + 2] == 'X';
}

std::vector<int> squares(std::size_t n = count) {
    std::vector<int> all = first_numbers(n);
    for (int& i : all) { i *= i; }
    return all;
}

constexpr int ways = 14;

/// Calls f in one of the ways that there are. Returns: the results, each once.
template <class P, class F>
std::vector<int> call_in_way(P& pool, int way, const MapOptions& options, F f, std::size_t n = count) {
    const std::vector<int> items = first_numbers(n);
    const auto tuples = items | std::views::transform([](int i) { return std::tuple{i}; });
    std::vector<int> results(n, -1);
    const auto set = [&](std::size_t index, int result) {
        if (std::exchange(results.at(index), result) != -1) { throw std::logic_error("a result came twice"); }
    };
    switch (way) {
        case 0: return pool.map(options, f, items);
        case 1: return pool.starmap(options, f, tuples);
        case 2: return get_soon(pool.map_async(options, f, items));
        case 3: pool.map_into(options, f, items, results); return results;
        case 4: {
            std::vector<int> in_order;
            for (const int i : pool.imap(options, f, items)) { in_order.push_back(i); }
            return in_order;
        }
        case 5:
            for (const auto& one : pool.imap_unordered(options, f, Generator{static_cast<int>(n)})) {
                set(one.index, one.value);
            }
            return results;
        case 6:
            for (const auto& one : pool.imap_outcomes(options, f, items)) { set(one.index, one.value.value()); }
            return results;
        case 7: {
            std::vector<int> in_order;
            for (const auto& one : pool.map_outcomes(options, f, items)) { in_order.push_back(one.value()); }
            return in_order;
        }
        case 8: {
            const auto append = [](std::vector<int> all, const std::vector<int>& more) {
                all.insert(all.end(), more.begin(), more.end());
                return all;
            };
            return pool.map_reduce(options, snapshot([f](int i) { return std::vector<int>{f(i)}; }), append,
                                   std::vector<int>{}, items);
        }
        case 9: {
            std::vector<int> in_order;
            const auto by_key = pool.map_reduce_by_key(options, snapshot([f](int i) {
                                                           return std::pair{i, f(i)};
                                                       }),
                                                       std::plus<>{}, items);
            for (const auto& [key, value] : by_key) { in_order.push_back(value); }
            return in_order;
        }
        case 10: {
            SharedArray<int> output(n);
            pool.map_into(options, f, items, output);
            return {output.begin(), output.end()};
        }
        case 11: {
            SharedArray<int> output(n);
            const std::span<int> to = output;
            pool.for_each(options, snapshot([f, to](int i) { to[static_cast<std::size_t>(i)] = f(i); }), items);
            return {output.begin(), output.end()};
        }
        case 12: {
            SharedArray<int> output(n);
            const std::span<int> to = output;
            get_soon(pool.for_each_async(options, snapshot([f, to](int i) { to[static_cast<std::size_t>(i)] = f(i); }),
                                         items));
            return {output.begin(), output.end()};
        }
        default: {
            SharedArray<int> shared(n);  // items that stay where they are
            std::copy(items.begin(), items.end(), shared.begin());
            return pool.map(options, f, shared);
        }
    }
}

TEST_CASE("hedge: every call ends though an item never ends at its first run") {
    SharedPage page;
    const Course course{page};
    Pool pool{3};
    std::int64_t hung = 0;  // sum of the numbers of processes
    for (int way = 0; way < ways; ++way) {
        for (const std::size_t chunk : {0, 1, 7}) {
            CAPTURE(way, chunk);
            course.runs.add(-course.runs.value());
            CHECK(call_in_way(pool, way, {.chunk_size = chunk, .hedge = 2}, snapshot(HangsOnce{course})) == squares());
            CHECK(course.runs.value() >= 2);
            const std::int64_t pid = course.first_pid.value() - hung;
            hung += pid;
            if (way < 4 || way > 6) {
                CHECK(is_gone(pid));  // nothing of the call runs when it has returned
            } else {
                wait_until([&] { return is_gone(pid); }, "a worker that was killed");
            }
        }
    }
    CHECK(pool.map(square, first_numbers(count)) == squares());
    const PoolStats stats = pool.stats();
    CHECK(stats.failed == 0);
    CHECK(stats.cancelled >= std::uint64_t{3} * ways);
    wait_until([&] { return pool.workers().size() == 3; }, "replacements");
}

TEST_CASE("hedge: also where slots are few or functions large") {
    SharedPage page;
    const Course course{page};
    for (const std::size_t capacity : {6, 4096}) {
        Pool pool{PoolOptions{.workers = 2, .queue_capacity = capacity}};
        for (const int way : {0, 2, 5, 8}) {
            CAPTURE(capacity, way);
            course.runs.add(-course.runs.value());
            const std::vector<int> table(5000, 1);
            const auto f = snapshot([course](const std::vector<int>& ones, int i) {
                return HangsOnce{course}(i)*ones.at(static_cast<std::size_t>(i));
            });
            const auto call = [&](const auto& bound) {
                const MapOptions options{.chunk_size = 3, .hedge = 2};
                if (way == 0) { return pool.map(options, bound, first_numbers(count)); }
                if (way == 2) { return get_soon(pool.map_async(options, bound, first_numbers(count))); }
                std::vector<int> results;
                for (const int i : pool.imap(options, bound, first_numbers(count))) { results.push_back(i); }
                return results;
            };
            CHECK(call(procpool::bind_front(f, table)) == squares());
        }
    }
}

TEST_CASE("hedge: nothing runs again where one worker is busy") {
    SharedPage page;
    const Counter runs{page};
    Pool pool{1};
    const auto count_runs = snapshot([runs](int i) {
        if (i == last) {
            std::this_thread::sleep_for(150ms);  // to be looked at
            runs.add();
        }
        return i * i;
    });
    CHECK(pool.map(MapOptions{.chunk_size = 1, .hedge = 1}, count_runs, first_numbers(count)) == squares());
    CHECK(runs.value() == 1);
    CHECK(pool.stats().submitted == count);
}

TEST_CASE("hedge: a straggler that a consumer waits for runs again though the input goes on") {
    SharedPage page;
    const Course course{page};
    Pool pool{3};
    std::vector<int> results;
    const MapOptions options{.chunk_size = 1, .window = 4, .hedge = 2};
    for (const int i : pool.imap(options, snapshot(HangsOnce{course}), std::views::iota(0, 1'000'000'000))) {
        results.push_back(i);
        if (results.size() == count) { break; }
    }
    CHECK(results == squares());
}

TEST_CASE("hedge: the run that lost is asked to stop while the call goes on") {
    SharedPage page;
    const Course course{page};
    const auto waits_for_loser = snapshot([course](int i) {
        if (i == slow && course.runs.add() == 1) {
            while (!this_task::stop_token().stop_requested()) { std::this_thread::yield(); }
            course.gate.set();
            throw std::runtime_error("of no interest");
        }
        if (i == slow + 3) { course.gate.wait(); }
        return i * i;
    });
    Pool pool{3};
    std::vector<int> results;
    const MapOptions options{.chunk_size = 1, .window = 4, .hedge = 2};
    for (const int i : pool.imap(options, waits_for_loser, first_numbers(count))) { results.push_back(i); }
    CHECK(results == squares());
    CHECK(pool.stats().unobserved == 0);
}

TEST_CASE("hedge: each item counts once in progress and statistics") {
    SharedPage page;
    const Course course{page};
    Pool pool{3};
    std::vector<std::size_t> done;
    const auto note = [&](const Progress& progress) {
        CHECK(progress.total == count);
        done.push_back(progress.done);
    };
    CHECK(pool.map(MapOptions{.chunk_size = 4, .progress = note, .hedge = 2}, snapshot(HangsOnce{course}),
                   first_numbers(count)) == squares());
    REQUIRE(!done.empty());
    CHECK(done.back() == count);
    for (const std::size_t n : done) { CHECK(n <= count); }
    const PoolStats stats = pool.stats();
    CHECK(stats.completed >= count / 4);
    CHECK(stats.submitted == stats.completed + stats.cancelled);  // each second run is a task
    CHECK(stats.submitted > count / 4);
    CHECK(stats.unobserved == 0);
}

TEST_CASE("hedge: a journal has each item once") {
    SharedPage page;
    const Course course{page};
    for (const int way : {0, 5, 7, 8}) {
        for (const std::size_t chunk : {1, 5}) {
            CAPTURE(way, chunk);
            const TemporaryFolder folder;
            course.runs.add(-course.runs.value());
            const MapOptions options{.chunk_size = chunk, .journal = folder.file(), .journal_version = "1", .hedge = 2};
            {
                Pool pool{3};
                CHECK(call_in_way(pool, way, options, snapshot(HangsOnce{course})) == squares());
            }
            const std::string recorded = bytes_of(folder.file());
            course.runs.add(-course.runs.value());  // it would hang
            Pool pool{3};
            CHECK(call_in_way(pool, way, options, snapshot(HangsOnce{course})) == squares());
            CHECK(course.runs.value() == 0);
            CHECK(bytes_of(folder.file()) == recorded);
        }
    }
}

TEST_CASE("hedge: a second run that dies leaves the first one to count") {
    SharedPage page;
    for (int round = 0; round < 5; ++round) {
        const Course course{page};
        Pool pool{2};
        const auto second_dies = snapshot([course](int i) {
            if (i == slow) {
                if (course.runs.add() != 1) { ::raise(SIGKILL); }
                course.gate.wait();
            }
            return i * i;
        });
        auto results = pool.map_async(MapOptions{.chunk_size = 1, .hedge = 2}, second_dies, first_numbers(count));
        wait_until([&] { return pool.stats().failed == 1; }, "the death of the second run");
        course.gate.set();
        CHECK(get_soon(results) == squares());
        CHECK(course.runs.value() == 2);  // it has had its chance
    }
}

TEST_CASE("hedge: a first run that dies leaves the second one to count") {
    SharedPage page;
    const Course course{page};
    Pool pool{2};
    const auto first_dies = snapshot([course](int i) {
        if (i == slow) {
            if (course.runs.add() == 1) {
                course.runs.wait_for(2);
                ::raise(SIGKILL);
            }
            course.gate.wait();
        }
        return i * i;
    });
    auto results = pool.map_async(MapOptions{.chunk_size = 1, .hedge = 2}, first_dies, first_numbers(count));
    wait_until([&] { return pool.stats().failed == 1; }, "the death of the first run");
    course.gate.set();
    CHECK(get_soon(results) == squares());
}

TEST_CASE("hedge: a value counts though the other run has died by the time that somebody looks") {
    SharedPage page;
    for (const bool first_dies : {true, false}) {
        const Course course{page};
        const auto one_dies = snapshot([course, first_dies](int i) {
            if (i == slow) {
                const bool is_first = course.runs.add() == 1;
                course.gate.wait();
                if (is_first == first_dies) { ::raise(SIGKILL); }
            }
            return i * i;
        });
        Pool pool{3};
        std::vector<int> results;
        auto calls = pool.imap(MapOptions{.chunk_size = 1, .hedge = 2}, one_dies, first_numbers(count));
        while (course.runs.value() < 2) {  // it is hedged, and looked at, only while the consumer waits
            if (const auto next = calls.next_for(1ms)) { results.push_back(next->value()); }
        }
        course.gate.set();
        wait_until([&] { return pool.stats().failed == 1 && pool.stats().completed >= count; }, "the end of both runs");
        while (const auto next = calls.next_for(wait_limit)) { results.push_back(next->value()); }
        CHECK(results == squares());
    }
}

TEST_CASE("hedge: where there is no room for a second run the first one goes on") {
    SharedPage page;
    const Gate gate{page};
    Pool pool{PoolOptions{.workers = 3, .queue_capacity = 8}};
    std::vector<Future<void>> others;
    for (int i = 0; i < 7; ++i) {  // which leave one place, and two workers
        others.push_back(pool.apply_on_async(0, snapshot([gate] { gate.wait(); })));
    }
    const auto takes_time = snapshot([](int i) {
        if (i == last) { std::this_thread::sleep_for(150ms); }  // to be looked at
        return i * i;
    });
    CHECK(pool.map(MapOptions{.chunk_size = 1, .hedge = 1}, takes_time, first_numbers(count)) == squares());
    gate.set();
    for (auto& other : others) { other.get(); }
    CHECK(pool.stats().submitted == count + others.size());
}

TEST_CASE("hedge: an item whose runs both die has failed once") {
    SharedPage page;
    const Course course{page};
    const auto both_die = snapshot([course](int i) {
        if (i == slow) {
            const std::int64_t run = course.runs.add();
            course.runs.wait_for(2);
            if (run <= 2) { ::raise(SIGKILL); }
        }
        return i * i;
    });
    for (const unsigned retries : {0, 1}) {
        for (const std::size_t chunk : {1, 6}) {
            CAPTURE(retries, chunk);
            course.runs.add(-course.runs.value());
            Pool pool{3};
            const auto outcomes = pool.map_outcomes(
                MapOptions{.chunk_size = chunk, .retries = retries, .stop_after_failures = {.count = 2}, .hedge = 2},
                both_die, first_numbers(count));
            REQUIRE(outcomes.size() == count);
            for (std::size_t i = 0; i < count; ++i) {
                if (static_cast<int>(i) == slow && retries == 0) {
                    CHECK_THROWS_AS(outcomes[i].value(), WorkerDied);
                } else {
                    CHECK(outcomes[i].value() == static_cast<int>(i * i));
                }
            }
            CHECK((retries == 0 ? course.runs.value() == 2 : course.runs.value() >= 3));
            CHECK(pool.stats().retried == retries);
        }
    }
}

TEST_CASE("hedge: an exception of the second run is the item's") {
    SharedPage page;
    const Course course{page};
    const auto second_throws = snapshot([course](int i) {
        if (i == slow) {
            if (course.runs.add() == 1) { hang(); }
            throw std::out_of_range("second");
        }
        return i * i;
    });
    Pool pool{2};
    for (const OnError on_error : {OnError::fail_fast, OnError::wait_all}) {
        course.runs.add(-course.runs.value());
        try {
            pool.map(MapOptions{.chunk_size = 1, .on_error = on_error, .hedge = 2}, second_throws,
                     first_numbers(count));
            FAIL("it returned");
        } catch (const std::out_of_range& e) {
            CHECK(std::string(e.what()) == "second");
            CHECK(item_of(std::current_exception()) == slow);
        }
    }
    CHECK(pool.stats().unobserved == 0);
}

TEST_CASE("hedge: when another item fails neither run is waited for longer than for its item") {
    SharedPage page;
    const Course course{page};
    const auto fails_then = snapshot([course](int i) {
        if (i == slow) {
            course.runs.add();
            while (!this_task::stop_token().stop_requested()) { std::this_thread::yield(); }
        }
        if (i == slow + 1) {
            course.runs.wait_for(2);
            throw std::out_of_range("another");
        }
        return i * i;
    });
    Pool pool{3};
    CHECK_THROWS_AS(pool.map(MapOptions{.chunk_size = 1, .hedge = 2}, fails_then, first_numbers(slow + 2)),
                    std::out_of_range);
    CHECK(pool.map(square, first_numbers(count)) == squares());
}

TEST_CASE("hedge: total_timeout ends both runs") {
    SharedPage page;
    const Counter runs{page};
    const auto hangs = snapshot([runs](int i) {
        if (i == slow) {
            runs.add();
            hang();
        }
        return i * i;
    });
    Pool pool{3};
    // until both had begun by then: the machine may be busy
    for (std::chrono::milliseconds total = 50ms; total < wait_limit && runs.value() < 2; total *= 3) {
        runs.add(-runs.value());
        const auto outcomes = pool.map_outcomes(MapOptions{.chunk_size = 1, .total_timeout = total, .hedge = 2}, hangs,
                                                first_numbers(count));
        REQUIRE(outcomes.size() == count);
        CHECK_THROWS_AS(outcomes[slow].value(), TaskTimedOut);
    }
    CHECK(runs.value() == 2);
    CHECK(pool.map(square, first_numbers(count)) == squares());
}

TEST_CASE("hedge: a time limit of an item holds for each run") {
    SharedPage page;
    const Counter runs{page};
    const auto hangs = snapshot([runs](int i) {
        if (i == slow) {
            runs.add();
            hang();
        }
        return i * i;
    });
    Pool pool{3};
    const auto outcomes =
        pool.map_outcomes(MapOptions{.chunk_size = 1, .timeout = 300ms, .hedge = 2}, hangs, first_numbers(count));
    REQUIRE(outcomes.size() == count);
    CHECK_THROWS_AS(outcomes[slow].value(), TaskTimedOut);
    CHECK(runs.value() <= 2);
}

TEST_CASE("hedge: killing or cancelling a call ends both runs") {
    SharedPage page;
    for (const bool kills : {true, false}) {
        const Course course{page};
        Pool pool{3};
        const auto stoppable = snapshot([course, kills](int i) {
            if (i == slow) {
                course.runs.add();
                while (kills || !this_task::stop_token().stop_requested()) { std::this_thread::yield(); }
            }
            return i * i;
        });
        auto results = pool.map_async(MapOptions{.chunk_size = 1, .hedge = 2}, stoppable, first_numbers(count));
        course.runs.wait_for(2);
        kills ? results.kill() : results.cancel();
        CHECK_THROWS_AS(get_soon(results), TaskCancelled);
        CHECK(pool.map(square, first_numbers(count)) == squares());
    }
}

TEST_CASE("hedge: a call that its listener ends leaves no run behind") {
    SharedPage page;
    const Course course{page};
    const auto stoppable = snapshot([course](int i) {
        if (i == slow) {
            course.runs.add();
            while (!this_task::stop_token().stop_requested()) { std::this_thread::yield(); }
        }
        if (i == slow + 1) { course.runs.wait_for(2); }
        return i * i;
    });
    const auto end_call = [&](const Progress&) {
        if (course.runs.value() == 2) { throw std::out_of_range("enough"); }
    };
    Pool pool{3};
    CHECK_THROWS_AS(
        pool.map(MapOptions{.chunk_size = 1, .progress = end_call, .hedge = 2}, stoppable, first_numbers(slow + 2)),
        std::out_of_range);
    const PoolStats stats = pool.stats();
    CHECK(stats.submitted == stats.completed + stats.failed + stats.cancelled);
    CHECK(pool.map(square, first_numbers(count)) == squares());
}

TEST_CASE("hedge: a consumer that leaves a hedged call leaves nothing behind") {
    SharedPage page;
    const Course course{page};
    const auto stoppable = snapshot([course](const std::vector<int>& ones, int i) {
        if (i == slow) {
            course.runs.add();
            while (!this_task::stop_token().stop_requested()) { std::this_thread::yield(); }
        }
        return i * ones[0];
    });
    Pool pool{3};
    {
        auto results = pool.imap(MapOptions{.chunk_size = 1, .hedge = 2},
                                 procpool::bind_front(stoppable, std::vector<int>(5000, 1)), first_numbers(count));
        auto next = results.begin();
        for (int i = 1; i < slow; ++i) { ++next; }
        CHECK(*next == slow - 1);
        // it is hedged only while the consumer waits
        CHECK_FALSE(results.next_for(0ms).has_value());
        while (course.runs.value() < 2) { CHECK_FALSE(results.next_for(1ms).has_value()); }
    }
    CHECK(pool.map(square, first_numbers(count)) == squares());
}

TEST_CASE("hedge: refused where items would change twice and for factors that mean nothing") {
    Pool pool{2};
    SharedArray<int> numbers(10);
    const auto change = [](int& n) { ++n; };
    CHECK_THROWS_AS(pool.for_each(MapOptions{.hedge = 2}, change, numbers), std::invalid_argument);
    CHECK_THROWS_AS(pool.for_each_async(MapOptions{.hedge = 2}, change, numbers), std::invalid_argument);
    for (const double factor :
         {-1.0, 0.5, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
        CAPTURE(factor);
        CHECK_THROWS_AS(pool.map(MapOptions{.hedge = factor}, square, first_numbers(3)), std::invalid_argument);
    }
    CHECK(numbers[0] == 0);
}

// ---- other engines

template <class P>
void stops_when_asked() {
    SharedPage page;
    const Counter runs{page};
    P pool{3};
    const auto waits_for_stop = snapshot([runs](int i) {
        if (i == slow && runs.add() == 1) {
            const std::stop_token stop = this_task::stop_token();
            std::atomic<bool> stopped{false};
            const std::stop_callback wake{stop, [&] {
                                              stopped = true;
                                              stopped.notify_one();
                                          }};
            stopped.wait(false);
            return -1;
        }
        return i * i;
    });
    for (const int way : {0, 2, 4, 7, 8}) {
        runs.add(-runs.value());
        CAPTURE(way);
        CHECK(call_in_way(pool, way, {.chunk_size = 1, .hedge = 2}, waits_for_stop) == squares());
        CHECK(runs.value() >= 2);
    }
}
ON_ENGINES_WITH_WORKERS("hedge: the run that lost is asked to stop", stops_when_asked)

TEST_CASE("hedge: threads are waited for until they end", "[thread]") {
    SharedPage page;
    const Course course{page};
    ThreadPool pool{2};
    const auto waits = snapshot([course](int i) {
        if (i == slow) {
            if (course.runs.add() == 1) {
                course.gate.wait();
                course.first_pid.add();
            } else {
                course.gate.set();
            }
        }
        return i * i;
    });
    CHECK(pool.map(MapOptions{.chunk_size = 1, .hedge = 2}, waits, first_numbers(count)) == squares());
    CHECK(course.first_pid.value() == 1);
}

TEST_CASE("hedge: an InlinePool runs nothing twice") {
    int runs = 0;
    InlinePool pool{1};
    const auto add = snapshot([&runs](int i) {
        ++runs;
        if (i == slow) { std::this_thread::sleep_for(5ms); }
        return i * i;
    });
    CHECK(pool.map(MapOptions{.chunk_size = 1, .hedge = 1}, add, first_numbers(count)) == squares());
    CHECK(runs == count);
}

// ---- deaths at random

TEST_CASE("hedge: random deaths lose nothing and count nothing twice") {
    const char* const given = std::getenv("PROCPOOL_CHAOS_SEED");
    const auto seed = given != nullptr ? std::stoull(given) : std::uint64_t{std::random_device{}()};
    std::printf("PROCPOOL_CHAOS_SEED=%ju\n", static_cast<std::uintmax_t>(seed));
    CAPTURE(seed);
    Random random{seed};
    SharedPage page;
    const Counter runs{page};
    Pool pool{4};
    const auto may_die = snapshot([runs, seed](int i) {
        Random draw{seed, static_cast<std::uint64_t>(runs.add())};
        const bool dies = draw() % 8 == 0;
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds{draw() % 3000};
        while (std::chrono::steady_clock::now() < end) {}
        if (dies) { ::raise(SIGKILL); }
        return i * i;
    });
    for (int round = 0; round < 60; ++round) {
        const std::size_t n = 1 + random() % 60;
        const MapOptions options{.chunk_size = random() % 6, .retries = 10'000, .hedge = 1};
        CAPTURE(round, n, options.chunk_size);
        switch (random() % 4) {
            case 0: CHECK(pool.map(options, may_die, first_numbers(n)) == squares(n)); break;
            case 1: {
                std::vector<int> results;
                for (const int i : pool.imap(options, may_die, first_numbers(n))) { results.push_back(i); }
                CHECK(results == squares(n));
                break;
            }
            case 2: {
                std::map<std::size_t, int> results;
                for (const auto& one : pool.imap_unordered(options, may_die, first_numbers(n))) {
                    CHECK(results.try_emplace(one.index, one.value).second);
                }
                CHECK(results.size() == n);
                break;
            }
            default: {
                const std::vector<int> all = squares(n);
                CHECK(pool.map_reduce(options, may_die, std::plus<>{}, 0, first_numbers(n)) ==
                      std::accumulate(all.begin(), all.end(), 0));
            }
        }
    }
}

TEST_CASE("hedge: what items usually take is their median") {
    detail::map::UsualTime usual;
    CHECK(usual.of(5) == 0ns);
    usual.add(0, 7ns);
    CHECK(usual.of(5) == 0ns);
    detail::map::UsualTime quick;
    quick.add(1000, 10ns);
    CHECK(quick.of(1) == 1ns);  // which is not unknown
    CHECK(quick.of(1000) == 10ns);
    usual.add(2, 20ns);
    CHECK(usual.of(1) == 10ns);
    CHECK(usual.of(3) == 30ns);
    usual.add(1, 1h);
    usual.add(1, 10ns);
    CHECK(usual.of(1) == 10ns);
    for (int i = 0; i < 1000; ++i) { usual.add(1, 50ns); }
    CHECK(usual.of(2) == 100ns);
}

}  // namespace
}  // namespace hedge_test

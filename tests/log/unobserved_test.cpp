// SPDX-License-Identifier: BSL-1.0
#include "log/records.hpp"

#include <atomic>
#include <csignal>
#include <functional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

/// Its decoder uses a pool, as any code of the user's may.
struct Curious : std::runtime_error {
    using std::runtime_error::runtime_error;
    static inline std::function<void()> use_pool;
};
template <>
struct procpool::Codec<Curious> {
    static void encode(Writer& out, const Curious& error) { Codec<std::string>::encode(out, error.what()); }
    static Curious decode(Reader& in) {
        if (Curious::use_pool && !in_worker()) { Curious::use_pool(); }
        return Curious{Codec<std::string>::decode(in)};
    }
};

namespace {

/// Drops a future once it is ready, or at once.
template <class T>
void drop(Future<T> future, bool ready) {
    if (ready) { future.wait(); }
}

template <class P>
void dropped_errors_count() {
    for (const bool ready : {false, true}) {
        P pool{2};
        for (int n = 0; n < 100; ++n) {
            drop(pool.apply_async(n % 2 == 0 ? same : fail, n), ready);
            if (n % 3 == 0) { CHECK_THROWS_AS(pool.apply(fail, n), std::out_of_range); }
        }
        wait_until([&] { return pool.stats().unobserved == 50; }, "the count of what was dropped");
        pool.join();
        CHECK(pool.stats().unobserved == 50);
        CHECK(pool.stats().failed == 84);
    }
}
ON_EVERY_ENGINE("errors of dropped futures are counted before they end and after", dropped_errors_count)

template <class P>
void left_in_parcels() {
    P pool{PoolOptions{.workers = 1, .queue_capacity = 8}};
    std::vector<Future<int>> futures;
    for (int n = 0; n < 50; ++n) { futures.push_back(pool.apply_async(fail, n)); }
    wait_all(futures);
    CHECK(pool.stats().unobserved == 0);
    CHECK_THROWS_AS(futures.front().get(), std::out_of_range);
    futures.clear();
    CHECK(pool.stats().unobserved == 49);
    for (int n = 0; n < 50; ++n) { static_cast<void>(pool.apply_async(fail, n)); }
    pool.join();
    CHECK(pool.stats().unobserved == 99);
}
ON_EVERY_ENGINE("errors that had to leave their slots count when they are dropped", left_in_parcels)

template <class P>
void told_to_the_log() {
    const Records records{LogLevel::warning};
    P pool{PoolOptions{.workers = 1, .name = "dropper"}};
    static_cast<void>(pool.apply_async(TaskOptions{.label = "resize"}, fail, 5));
    // Nothing else is asked of the pool.
    wait_until([&] { return !records.with("nobody took").empty(); }, "a record of the error");
    drop(pool.apply_async(fail, 6), true);
    wait_until([&] { return records.with("nobody took").size() == 2; }, "a second record");
    const std::vector<Record> told = records.with("nobody took the error of ");
    REQUIRE(told.size() == 2);
    CHECK(told[0].text == "nobody took the error of task 'resize': std::out_of_range: 5");
    CHECK(told[0].level == LogLevel::warning);
    CHECK(told[0].label == "resize");
    CHECK(told[0].pool == "dropper");
    CHECK(told[0].task != 0);
    CHECK(told[0].task != told[1].task);
    CHECK(told[1].text == "nobody took the error of a task: std::out_of_range: 6");
    pool.join();
    CHECK(records.with("nobody took").size() == 2);
}
ON_EVERY_ENGINE("a dropped error is told to the log soon also by an idle pool", told_to_the_log)

TEST_CASE("deaths and timeouts of dropped tasks count and what was asked for does not") {
    const Records records{LogLevel::warning};
    SharedPage page;
    const Gate started{page};
    Pool pool{1};
    static_cast<void>(pool.apply_async(TaskOptions{.label = "dies"}, [] { ::raise(SIGKILL); }));
    static_cast<void>(pool.apply_async(TaskOptions{.timeout = 10ms, .label = "late"}, [] { ::pause(); }));
    wait_until([&] { return records.with("nobody took").size() == 2; }, "both records");
    CHECK(records.with("nobody took the error of task 'dies': procpool: worker ").size() == 1);
    CHECK(records.with("nobody took the error of task 'late': procpool: task ").size() == 1);
    CHECK(pool.stats().unobserved == 2);
    Future<void> killed = pool.apply_async(
        [](Gate says) {
            says.set();
            ::pause();
        },
        started);
    started.wait();
    Future<int> withdrawn = pool.apply_async(same, 1);
    CHECK(withdrawn.cancel());
    CHECK(killed.kill());
    killed = {};
    withdrawn = {};
    static_cast<void>(pool.apply_async([] { ::pause(); }));
    static_cast<void>(pool.apply_async(same, 1));
    pool.kill();
    pool.join();
    CHECK(pool.stats().unobserved == 2);
    CHECK(records.with("nobody took").size() == 2);
}

template <class P>
void taken_in_other_ways() {
    P pool{2};
    // An observer; the end of a chain; a call that throws one error of many.
    std::atomic<int> seen{0};
    for (const bool ready : {false, true}) {
        Future<int> observed = pool.apply_async(fail, 1);
        observed.on_done([&] { ++seen; });
        drop(std::move(observed), ready);
    }
    CHECK_THROWS_AS(get_soon(pool.apply_async(fail, 1).then(same).then(same)), std::out_of_range);
    CHECK_THROWS_AS(pool.broadcast(fail, 1), std::out_of_range);
    CHECK_THROWS_AS(pool.map(fail, std::vector{1, 2}), std::out_of_range);
    CHECK_THROWS_AS(get_soon(pool.map_async(fail, std::vector{1, 2})), std::out_of_range);
    wait_until([&] { return seen == 2; }, "the observers");
    CHECK(pool.stats().unobserved == 0);
    // A chain whose end is dropped, and a call over many items, count once.
    for (const bool ready : {false, true}) {
        drop(pool.apply_async(fail, 1).then(same).then(same), ready);
        drop(pool.apply_async(same, 1).then([](int) { throw std::domain_error("no"); }), ready);
        drop(pool.apply_async(same, 1).then([&](int n) { return pool.apply_async(fail, n); }), ready);
        drop(pool.map_async(fail, std::vector{1, 2}), ready);
    }
    wait_until([&] { return pool.stats().unobserved == 8; }, "the counts of what was dropped");
    Future<std::vector<int>> cancelled = pool.map_async(same, std::vector(1'000, 1));
    static_cast<void>(cancelled.cancel());
    cancelled = {};
    static_cast<void>(make_deferred<int>());  // of no pool
    pool.join();
    CHECK(pool.stats().unobserved == 8);
}
ON_EVERY_ENGINE("errors that are observed or thrown elsewhere do not count and chains count once", taken_in_other_ways)

template <class P>
void uses_the_pool() {
    register_exception<Curious>();
    P pool{1};
    Curious::use_pool = [&pool] { pool.apply_async(same, 1).get(); };
    std::atomic<int> told{0};
    set_log_sink(
        [&](const LogRecord&) {
            static_cast<void>(pool.stats());
            ++told;
        },
        LogLevel::warning);
    for (int n = 0; n < 200; ++n) {
        static_cast<void>(pool.apply_async([] { throw Curious{"why?"}; }));
    }
    wait_until([&] { return told == 200; }, "all records");
    set_log_sink({});
    Curious::use_pool = nullptr;
    CHECK(pool.stats().unobserved == 200);
}
ON_ENGINES_WITH_WORKERS("a sink and a decoder may use the pool whose errors they are told", uses_the_pool)

TEST_CASE("join() and stats() wait for an error that the log's thread is telling") {
    register_exception<Curious>();
    Records records{LogLevel::warning};
    Pool pool{1};
    std::atomic<bool> begun{false};
    std::atomic<bool> may_end{false};
    Curious::use_pool = [&] {
        begun = true;
        wait_until([&] { return may_end.load(); }, "the end of the pool to begin");
    };
    static_cast<void>(pool.apply_async([] { throw Curious{"why?"}; }));
    wait_until([&] { return begun.load(); }, "the log's thread to decode the error");
    std::thread ender{[&] {
        wait_until([&] { return pool.workers().empty(); }, "the end of the workers");
        may_end = true;
    }};
    pool.join();
    CHECK(pool.stats().unobserved == 1);
    CHECK(records.with("why?").size() == 1);
    ender.join();
    Curious::use_pool = nullptr;
}

TEST_CASE("a call that cannot begin leaves no error that nobody took") {
    Pool pool{1};
    const auto closing = std::views::iota(0, 3) | std::views::transform([&](int n) {
                             pool.close();
                             return n;
                         });
    CHECK_THROWS_AS(pool.map_async(same, closing), PoolClosed);
    CHECK(pool.stats().unobserved == 0);
}

}  // namespace

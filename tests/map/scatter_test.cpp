// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/scatter.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <numeric>
#include <random>
#include <ranges>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

namespace {

/// Counts how many live, in all processes.
class Tracked {
public:
    explicit Tracked(procpool_test::Counter alive) : alive_(alive) { alive_.add(); }
    Tracked(const Tracked& other) : alive_(other.alive_) { alive_.add(); }
    Tracked& operator=(const Tracked&) = default;
    ~Tracked() { alive_.add(-1); }
    [[nodiscard]] procpool_test::Counter alive() const { return alive_; }

private:
    procpool_test::Counter alive_;
};

/// Does not decode if it refuses to.
struct Stubborn {
    Tracked tracked;
    bool refuses;
};

}  // namespace

template <>
struct procpool::Codec<Tracked> {
    static void encode(Writer& out, const Tracked& value) { Codec<procpool_test::Counter>::encode(out, value.alive()); }
    static Tracked decode(Reader& in) { return Tracked{Codec<procpool_test::Counter>::decode(in)}; }
};
template <>
struct procpool::Codec<Stubborn> {
    static void encode(Writer& out, const Stubborn& value) {
        Codec<Tracked>::encode(out, value.tracked);
        Codec<bool>::encode(out, value.refuses);
    }
    static Stubborn decode(Reader& in) {
        Stubborn value{Codec<Tracked>::decode(in), Codec<bool>::decode(in)};
        if (value.refuses) { throw std::domain_error("stubborn"); }
        return value;
    }
};

using namespace procpool_test;

namespace {

using Numbers = std::vector<int>;

[[nodiscard]] Numbers numbers_to(int n) {
    Numbers all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

template <class P>
void splits() {
    for (const std::size_t workers : {1, 2, 3}) {
        P pool{workers};
        for (const int n : {0, 1, 2, 3, 7, 30, 100'000}) {
            auto parts = pool.scatter(numbers_to(n));
            REQUIRE(parts.size() == pool.size());
            const auto sizes = parts.apply([](const Numbers& part) { return part.size(); });
            CHECK(*std::ranges::max_element(sizes) - *std::ranges::min_element(sizes) <= 1);
            CHECK(std::ranges::is_sorted(sizes, std::greater{}));
            CHECK(parts.gather() == numbers_to(n));
            const auto places =
                parts.apply([](Numbers& part) { return std::pair(this_worker::index(), part.empty() ? -1 : part[0]); });
            int first = 0;
            for (std::size_t i = 0; i < places.size(); ++i) {
                CHECK(places[i].first == i);
                CHECK(places[i].second == (sizes[i] == 0 ? -1 : first));
                first += static_cast<int>(sizes[i]);
            }
        }
    }
}
ON_EVERY_ENGINE("scatter gives each worker a part of its own - in a row", splits)

template <class P>
void stays() {
    P pool{3};
    auto parts = pool.scatter(numbers_to(10));
    for (int round = 0; round < 3; ++round) {
        parts.apply(
            [](std::span<int> part, int n) {
                for (int& number : part) { number += n; }
            },
            10);
    }
    Numbers expected = numbers_to(10);
    for (int& number : expected) { number += 30; }
    CHECK(parts.gather() == expected);
    static_assert(std::is_void_v<decltype(parts.apply([](Numbers&) {}))>);
    parts.apply([](Numbers& part) { part.assign(this_worker::index() + 1, static_cast<int>(this_worker::index())); });
    Numbers sizes;
    for (std::size_t i = 0; i < pool.size(); ++i) { sizes.insert(sizes.end(), i + 1, static_cast<int>(i)); }
    CHECK(parts.gather() == sizes);
    CHECK(parts.apply([](std::stop_token stop, Numbers&) { return stop.stop_possible(); }) ==
          std::vector<bool>(pool.size(), true));
    CHECK(parts.apply(
              {.label = "x"}, [](const Numbers&, const std::string& text) { return text; }, "y") ==
          std::vector<std::string>(pool.size(), "y"));
    CHECK(parts.apply([](Numbers) { return 1; }) == Numbers(pool.size(), 1));
}
ON_EVERY_ENGINE("parts stay as functions have left them", stays)

template <class P>
void of_any_type() {
    P pool{2};
    const std::vector<std::string_view> views{"a", "", "a text that is too long to be stored in a string itself"};
    auto words = pool.scatter(views);
    static_assert(std::is_same_v<decltype(words), Scattered<std::string>>);
    words.apply([](std::vector<std::string>& part) {
        for (std::string& word : part) { word += "!"; }
    });
    CHECK(words.gather() ==
          std::vector<std::string>{"a!", "!", "a text that is too long to be stored in a string itself!"});
    auto bits = pool.scatter(std::vector<bool>{true, false, true});
    bits.apply([](std::vector<bool>& part) { part.flip(); });
    CHECK(bits.gather() == std::vector<bool>{false, true, false});
    CHECK(pool.scatter(std::views::iota(0, 5)).gather() == numbers_to(5));
    std::istringstream in{"1 2 3 4 5"};  // cannot be read twice, and its length is unknown
    auto read = pool.scatter(std::ranges::istream_view<int>(in));
    CHECK(read.gather() == Numbers{1, 2, 3, 4, 5});
    CHECK(read.apply([](const Numbers& part) { return part.size(); })[0] >= 3);
    auto nested = pool.scatter(std::vector<Numbers>{{1}, {}, {2, 3}});
    CHECK(nested.gather() == std::vector<Numbers>{{1}, {}, {2, 3}});
}
ON_EVERY_ENGINE("a range of any items is scattered", of_any_type)

template <class P>
void several_at_once() {
    P pool{2};
    auto first = pool.scatter(numbers_to(4));
    auto second = pool.scatter(Numbers{7, 8});
    first.apply([](Numbers& part) { part.push_back(100); });
    CHECK(second.gather() == Numbers{7, 8});
    Scattered<int> moved = std::move(first);
    CHECK(first.size() == 0);
    CHECK_THROWS_AS(first.gather(), std::logic_error);
    CHECK(moved.gather().size() == 4 + pool.size());
    moved = std::move(second);
    CHECK(moved.gather() == Numbers{7, 8});
    Scattered<int> none;
    CHECK(none.size() == 0);
    CHECK_THROWS_AS(none.apply([](Numbers&) {}), std::logic_error);
}
ON_EVERY_ENGINE("parts of several ranges are kept apart - and handles move", several_at_once)

template <class P>
void dropped() {
    SharedPage page;
    const Counter alive{page};
    {
        P pool{2};
        {
            const std::vector<Tracked> items(10, Tracked{alive});
            auto parts = pool.scatter(items);
            CHECK(alive.value() == 20);
            auto others = pool.scatter(items);
            CHECK(alive.value() == 30);
        }
        wait_until([&] { return alive.value() == 0; }, "the parts to be freed");
        const auto last = pool.scatter(std::vector<Tracked>(4, Tracked{alive}));
        CHECK(alive.value() == 4);
        pool.close();
        pool.join();
        CHECK(alive.value() == 0);
        CHECK_THROWS_AS(last.gather(), PoolClosed);
    }
}
ON_EVERY_ENGINE("dropped handles - and the end of the pool - free the parts in the workers", dropped)

template <class P>
void dropped_when_full() {
    SharedPage page;
    const Counter alive{page};
    const Gate may_end{page};
    const Counter started{page};
    P pool{{.workers = 2, .queue_capacity = 2}};
    {
        const auto parts = pool.scatter(std::vector<Tracked>(10, Tracked{alive}));
        std::vector<Future<void>> busy;
        for (std::size_t i = 0; i < 2; ++i) {
            busy.push_back(pool.apply_on_async(i, snapshot([=] {
                                                   started.add();
                                                   may_end.wait();
                                               })));
        }
        started.wait_for(2);
    }  // two tasks are unfinished: no room for those that free the parts
    CHECK(alive.value() == 10);
    may_end.set();
    wait_until(
        [&] {
            static_cast<void>(pool.scatter(Numbers{}));
            return alive.value() == 0;
        },
        "the parts to be freed");
}
ON_ENGINES_WITH_WORKERS("a handle that is dropped while the queue is full waits for nothing", dropped_when_full)

template <class P>
void throws_the_lowest() {
    P pool{3};
    auto parts = pool.scatter(numbers_to(9));
    try {
        parts.apply([](Numbers& part) {
            part.push_back(0);
            if (this_worker::index() == 0) { return; }
            throw std::out_of_range(std::to_string(this_worker::index()));
        });
        CHECK(pool.size() == 1);
    } catch (const std::out_of_range& error) { CHECK(std::string{error.what()} == "1"); }
    CHECK(parts.gather().size() == 9 + pool.size());
    CHECK_THROWS_AS(parts.apply({.timeout = -1s}, [](Numbers&) {}), std::invalid_argument);
    pool.close();
    CHECK_THROWS_AS(parts.apply([](Numbers&) {}), PoolClosed);
    CHECK_THROWS_AS(pool.scatter(numbers_to(3)), PoolClosed);
}
ON_EVERY_ENGINE("a call on parts throws the error of the lowest part - after all have ended", throws_the_lowest)

template <class P>
void handle_outlives_pool() {
    Scattered<int> parts;
    {
        P pool{2};
        parts = pool.scatter(numbers_to(5));
        P other{std::move(pool)};
        CHECK(parts.gather() == numbers_to(5));
    }
    CHECK_THROWS_AS(parts.gather(), PoolClosed);
}
ON_EVERY_ENGINE("a handle outlives its pool", handle_outlives_pool)

template <class P>
void in_a_task() {
    P pool{1};
    auto parts = pool.scatter(numbers_to(5));
    CHECK_THROWS_AS(pool.apply([&parts] { return parts.gather().size(); }), std::system_error);
    CHECK_THROWS_AS(pool.apply([&pool] { return pool.scatter(numbers_to(5)).size(); }), std::system_error);
    CHECK(parts.gather() == numbers_to(5));
}
#if !defined(__SANITIZE_ADDRESS__)
ON_THREADS("a task cannot use parts of its own pool", in_a_task)
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
ON_INLINE("a task cannot use parts of its own pool", in_a_task)
#endif

void kill_worker(Pool& pool, std::size_t index) {
    const pid_t victim = pool.apply_on(index, ::getpid);
    send_signal(victim, SIGKILL);
    wait_until(
        [&] {
            const auto workers = pool.workers();
            return std::ranges::none_of(workers, [&](const WorkerInfo& worker) { return worker.pid == victim; });
        },
        "the worker to be gone");
}

TEST_CASE("a part whose worker has died is lost - for every call on all parts") {
    Pool pool{3};
    auto parts = pool.scatter(numbers_to(9));
    kill_worker(pool, 1);
    SharedPage page;
    const Counter ran{page};
    pool.refork();
    auto fresh = pool.scatter(numbers_to(9));
    kill_worker(pool, 1);
    for (int round = 0; round < 2; ++round) {
        try {
            fresh.apply(snapshot([ran](Numbers&) { ran.add(); }));
            CHECK(false);
        } catch (const PartLost& error) {
            CHECK(error.part() == 1);
            CHECK(std::string{error.what()}.find("part 1") != std::string::npos);
        }
    }
    CHECK(ran.value() == 4);  // on the others, each time
    CHECK_THROWS_AS(fresh.gather(), PartLost);
    CHECK_THROWS_AS(parts.gather(), PartLost);  // refork() has replaced all
    CHECK(pool.scatter(numbers_to(9)).gather() == numbers_to(9));
}

TEST_CASE("a worker that dies in a call on its part: WorkerDied - then PartLost") {
    Pool pool{3};
    auto parts = pool.scatter(numbers_to(9));
    CHECK_THROWS_AS(parts.apply([](Numbers& part) {
        if (this_worker::index() == 2) { ::raise(SIGKILL); }
        part.clear();
    }),
                    WorkerDied);
    CHECK_THROWS_AS(parts.apply([](Numbers&) {}), PartLost);
    CHECK_THROWS_AS(parts.apply({.timeout = 20ms}, [](Numbers&) { ::pause(); }), TaskTimedOut);
}

TEST_CASE("a part is made again where scatter keeps a copy") {
    Pool pool{3};
    auto parts = pool.scatter({.remake = true}, std::vector<std::string>{"a", "b", "c", "d"});
    const auto add = [](std::vector<std::string>& part) {
        for (std::string& word : part) { word += "!"; }
    };
    parts.apply(add);
    kill_worker(pool, 0);
    CHECK(parts.gather() == std::vector<std::string>{"a", "b", "c!", "d!"});
    kill_worker(pool, 2);
    parts.apply(add);
    CHECK(parts.gather() == std::vector<std::string>{"a!", "b!", "c!!", "d!"});
    pool.refork();
    CHECK(parts.gather() == std::vector<std::string>{"a", "b", "c", "d"});
    kill_worker(pool, 1);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] { parts.apply(add); });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(parts.gather() == std::vector<std::string>{"a!!!!", "b!!!!", "c!!!!", "d!!!!"});  // made again once
    SharedPage page;
    const Counter tries{page};
    Pool later{2};  // sees the page
    auto again = later.scatter({.remake = true}, numbers_to(4));
    const auto sizes = again.apply({.retries = 1}, snapshot([tries](const Numbers& part) {
                                       if (this_worker::index() == 1 && tries.add() == 1) { ::raise(SIGKILL); }
                                       return part.size();
                                   }));
    CHECK(sizes == std::vector<std::size_t>{2, 2});
}

TEST_CASE("RCY parts of workers that are recycled are lost or made again") {
    Pool pool{{.workers = 2, .max_tasks_per_worker = 1}};
    auto lost = pool.scatter(numbers_to(4));
    CHECK_THROWS_AS(lost.gather(), PartLost);
    auto kept = pool.scatter({.remake = true}, numbers_to(4));
    for (int round = 0; round < 5; ++round) { CHECK(kept.gather() == numbers_to(4)); }
    CHECK(pool.stats().workers_died == 0);
}

TEST_CASE("parts larger than a task's memory") {
    Pool pool{2};
    std::vector<double> values(3'000'000, 1.5);
    auto parts = pool.scatter({.remake = true}, values);
    parts.apply([](std::span<double> part) {
        for (double& value : part) { value *= 2; }
    });
    values.assign(values.size(), 3.0);
    CHECK(parts.gather() == values);
}

template <class P>
void not_sent() {
    SharedPage page;
    const Counter alive{page};
    P pool{2};
    const auto refuses = [](int n) {
        if (n == 3) { throw std::range_error("3"); }
        return n;
    };
    CHECK_THROWS_AS(pool.scatter(numbers_to(4) | std::views::transform(refuses)), std::range_error);
    CHECK_THROWS_AS(pool.scatter(Generator{4, 3}), std::domain_error);
    std::vector<Stubborn> items(3, Stubborn{Tracked{alive}, false});
    items[2].refuses = true;
    CHECK_THROWS_AS(pool.scatter(items), std::domain_error);
    items.clear();
    wait_until([&] { return alive.value() == 0; }, "the other part to be freed");
    CHECK(pool.scatter(numbers_to(3)).gather() == numbers_to(3));
}
ON_EVERY_ENGINE("an item that cannot be read or decoded: nothing is kept", not_sent)

TEST_CASE("a child has no parts") {
    Pool pool{2};
    auto parts = pool.scatter(numbers_to(5));
    Subprocess child{[&] {
        CHECK_THROWS_AS(parts.gather(), std::logic_error);
        CHECK_THROWS_AS(parts.apply([](Numbers&) {}), std::logic_error);
        parts = {};
        std::printf("inert");
    }};
    CHECK(child.wait() == 0);
    CHECK(child.output() == "inert");
    CHECK(parts.gather() == numbers_to(5));
}

template <class P>
void with_others() {
    P pool{3};
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int round = 0; round < static_cast<int>(times(30)); ++round) {
                auto parts = pool.scatter(numbers_to(10 * t + round));
                parts.apply([](Numbers& part) { part.push_back(1); });
                right += parts.gather().size() == static_cast<std::size_t>(10 * t + round) + pool.size();
                right += pool.broadcast([] { return 1; }).size() == pool.size();
                right += pool.apply_on(0, same, 1);
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(right == 4 * 3 * static_cast<int>(times(30)));
}
ON_EVERY_ENGINE("four threads scatter on one pool", with_others)

template <class P>
void gangs() {
    SharedPage page;
    P pool{3};
    auto parts = pool.scatter(numbers_to(3));
    std::vector<std::thread> threads;
    std::atomic<int> done{0};
    for (int t = 0; t < 4; ++t) {
        const Meeting together{page, 3};
        threads.emplace_back([&, t, together] {  // would wait for ever if two workers got these in different orders
            if (t % 2 == 0) {
                parts.apply([](Numbers&, Meeting all) { all.arrive_and_wait(); }, together);
            } else {
                pool.broadcast([](Meeting all) { all.arrive_and_wait(); }, together);
            }
            ++done;
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(done == 4);
}
ON_ENGINES_WITH_WORKERS("calls on all parts and broadcasts start in the same order everywhere", gangs)

TEST_CASE("a pool that is terminated ends calls on parts") {
    SharedPage page;
    const Counter started{page};
    Pool pool{{.workers = 2, .terminate_grace = 0ms}};
    auto parts = pool.scatter(numbers_to(4));
    std::atomic<bool> ended{false};
    std::thread caller{[&] {
        try {
            parts.apply(snapshot([started](Numbers&) {
                started.add();
                ::pause();
            }));
        } catch (const PoolTerminated&) { ended = true; }
    }};
    started.wait_for(2);
    pool.terminate();
    caller.join();
    CHECK(ended);
    CHECK(pool.join_for(wait_limit));
}

TEST_CASE("parts that are made again while workers die") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    Pool pool{3};
    auto parts = pool.scatter({.remake = true}, numbers_to(1000));
    std::atomic<bool> over{false};
    std::thread killer{[&] {
        std::mt19937 random{seed};
        while (!over) {
            for (const WorkerInfo& worker : pool.workers()) {
                // not those that start: too many of their deaths break the pool
                if (random() % 3 == 0 && worker.tasks_done > 0) { send_signal(worker.pid, SIGKILL); }
            }
            std::this_thread::sleep_for(3ms);
        }
    }};
    std::size_t died = 0;
    const std::size_t rounds = times(200);
    for (std::size_t round = 0; round < rounds; ++round) {
        try {
            const bool right = parts.gather() == numbers_to(1000);  // CHECK would catch what it throws
            CHECK(right);
        } catch (const WorkerDied&) { ++died; }
    }
    over = true;
    killer.join();
    CHECK(died < rounds);
    CHECK(parts.gather() == numbers_to(1000));
}

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/driver.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <functional>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

constexpr std::size_t many = 5000;  // items: more chunks than are in flight at a time
constexpr int synchronous_calls = 6;

/// Calls f for 0 … many-1 in one of the ways that wait for the end. Returns: the sum of what it returned.
template <class P, class F>
int call_for_many(P& pool, int way, F f) {
    const MapOptions options{.chunk_size = 1};
    const std::vector<int> items = first_numbers(many);
    std::vector<int> results;
    switch (way) {
        case 0: results = pool.map(options, f, items); break;
        case 1:
            results = pool.starmap(options, f, items | std::views::transform([](int i) { return std::tuple{i}; }));
            break;
        case 2:
            pool.for_each(options, f, Generator{static_cast<int>(many)});
            results = items;
            break;
        case 3:
            results.resize(many);
            pool.map_into(options, f, items, results);
            break;
        case 4: return pool.map_reduce(options, f, std::plus<>{}, 0, items);
        default:
            for (const Outcome<int>& outcome : pool.map_outcomes(options, f, items)) { results.push_back(*outcome); }
    }
    return std::accumulate(results.begin(), results.end(), 0);
}

template <class P>
void closed_in_the_middle() {
    for (int way = 0; way < synchronous_calls; ++way) {
        CAPTURE(way);
        SharedPage page;
        const Counter started{page};
        const Gate closed{page};
        P pool{2};
        std::jthread closer{[&] {
            started.wait_for(1);
            pool.close();
            closed.set();
        }};
        const int sum = call_for_many(pool, way, snapshot([=](int i) {
                                          started.add();
                                          closed.wait();
                                          return i;
                                      }));
        closer.join();
        CHECK(sum == static_cast<int>(many * (many - 1) / 2));
        CHECK(started.value() == static_cast<std::int64_t>(many));
        CHECK_THROWS_AS(pool.map(square, first_numbers(1)), PoolClosed);
        CHECK(pool.join_for(wait_limit));
    }
}
ON_EVERY_ENGINE("close() lets calls over many items that have begun go on to their end", closed_in_the_middle)

template <class P>
void joined_in_the_middle() {
    SharedPage page;
    const Counter started{page};
    const Gate closed{page};
    const Counter finalized{page};
    P pool{{.workers = 1, .finalizer = [=] { finalized.add(started.value()); }}};
    std::jthread joiner{[&] {
        started.wait_for(1);
        pool.close();
        closed.set();
        pool.join();
    }};
    pool.for_each(MapOptions{.chunk_size = 1}, snapshot([=](int) {
                      started.add();
                      closed.wait();
                  }),
                  first_numbers(100));
    joiner.join();
    CHECK(finalized.value() == 100);
}
ON_EVERY_ENGINE("join() waits for calls over many items that have begun", joined_in_the_middle)

template <class P>
void terminated_in_the_middle() {
    for (int way = 0; way < synchronous_calls; ++way) {
        for (const bool killed : {false, true}) {
            CAPTURE(way, killed);
            SharedPage page;
            const Counter started{page};
            const Gate ended{page};
            P pool{{.workers = 2, .terminate_grace = 0ms}};
            std::jthread ender{[&] {
                started.wait_for(1);
                if (killed) {
                    pool.kill();
                } else {
                    pool.terminate();
                }
                ended.set();
            }};
            CHECK_THROWS_AS(call_for_many(pool, way, snapshot([=](int i) {
                                              started.add();
                                              ended.wait();
                                              return i;
                                          })),
                            PoolTerminated);
            ender.join();
            CHECK_THROWS_AS(pool.map(square, first_numbers(1)), PoolClosed);
        }
    }
}
ON_EVERY_ENGINE("terminate() and kill() end calls over many items with PoolTerminated", terminated_in_the_middle)

template <class P>
void calls_within_calls() {
    for (const std::size_t room : {1, 2, 8}) {
        CAPTURE(room);
        SharedPage page;
        const Counter told{page};
        P pool{{.workers = 2, .queue_capacity = room}};
        int answers = 0;
        const MapOptions options{.chunk_size = 2, .progress = [&](const Progress&) {
                                     told.add();
                                     answers += pool.map(square, first_numbers(3)).back();
                                 }};
        const auto f = snapshot([told](int i) {
            if (has_workers<P>() && i == 100) { told.wait_for(1); }  // so that progress is reported in the middle too
            return i;
        });
        CHECK(pool.map(options, f, first_numbers(150)) == first_numbers(150));
        CHECK(answers >= (has_workers<P>() ? 8 : 4));

        auto asking = std::views::iota(0, 50) | std::views::transform([&](int i) { return pool.apply(square, i); });
        if (room > 1) {
            CHECK(pool.map(MapOptions{.chunk_size = 2}, square, asking).back() == 49 * 49 * 49 * 49);
        } else if (has_workers<P>()) {  // a chunk that is being read has all room
            CHECK_THROWS_AS(pool.map(square, asking), std::system_error);
        }
    }
}
ON_EVERY_ENGINE("a map whose input and listener use its own pool with room for few tasks", calls_within_calls)

TEST_CASE("deaths and retries in maps of a pool with little room") {
    SharedPage page;
    const Counter deaths{page};
    Pool pool{{.workers = 2, .queue_capacity = 4}};
    const auto dies = [](unsigned attempts) {
        return snapshot([attempts](int i) {
            if (i % 10 == 4 && this_task::attempt() < attempts) { ::raise(SIGKILL); }
            return i;
        });
    };
    const auto dies_once = snapshot([deaths](int i) {
        if (i == 14 && deaths.value() == 0) {
            deaths.add();
            ::raise(SIGKILL);
        }
        return i;
    });
    const MapOptions options{.chunk_size = 5, .retries = 1};
    const std::vector<int> numbers = first_numbers(40);
    CHECK(pool.map(options, dies(1), numbers) == numbers);
    CHECK(pool.map_reduce(
              options, dies_once, [](int a, int b) { return a + b; }, 0, numbers) == 780);
    const auto outcomes = pool.map_outcomes(options, dies(2), numbers);
    REQUIRE(outcomes.size() == 40);
    for (std::size_t i = 0; i < 40; ++i) { CHECK(outcomes[i].has_value() == (i % 10 != 4)); }
}

TEST_CASE("DTH-31 an item that forks and returns in the child: that runs no more items") {
    SharedPage page;
    const Counter strangers{page};
    Pool pool{1};
    const auto f = snapshot([strangers, worker = pool.apply(::getpid)](int i) {
        if (::getpid() != worker) { strangers.add(); }
        if (i == 3) { static_cast<void>(::fork()); }
        return i;
    });
    CHECK(pool.map(MapOptions{.chunk_size = 10, .retries = 1}, f, first_numbers(10)) == first_numbers(10));
    pool.join();
    CHECK(strangers.value() == 0);
}

/// Every few items forks. The child comes back when its parent has come to the next item, with a result of its own,
/// which must not count, or throws; that item waits for the child's end. For one worker.
template <class Result>
auto comes_back_twice(Counter runs, Result (*make)(int)) {
    return snapshot([runs, make](int i) {
        static pid_t child = 0;
        const std::int64_t mine = runs.add();
        if (child != 0) { ::waitpid(std::exchange(child, 0), nullptr, 0); }
        if (i % 7 == 3) {
            child = ::fork();
            if (child == 0) {
                runs.wait_for(mine + 1);
                if (i % 2 == 0) { throw std::out_of_range("in the child"); }
                return make(-1);
            }
        }
        return make(i);
    });
}

struct Wide {
    std::array<int, 50> numbers;
    bool operator==(const Wide&) const = default;
};

template <class Result>
void children_store_nothing(Result (*make)(int)) {
    SharedPage page;
    const Counter runs{page};
    Pool pool{1};
    const auto f = comes_back_twice(runs, make);
    constexpr int n = 198;
    const std::vector<int> numbers = first_numbers(n);
    std::vector<Result> expected;
    for (const int i : numbers) { expected.push_back(make(i)); }
    std::int64_t calls = 0;
    for (const MapOptions& options :
         {MapOptions{}, MapOptions{.chunk_size = 70}, MapOptions{.chunk_size = 10, .retries = 1}}) {
        CAPTURE(options.chunk_size);
        CHECK(pool.map(options, f, numbers) == expected);
        CHECK(runs.value() == n * ++calls);  // no item ran twice
        std::vector<Result> given;
        for (auto& one : pool.imap(options, f, numbers)) { given.push_back(one); }
        CHECK(given == expected);
        CHECK(runs.value() == n * ++calls);
        std::vector<Result> kept;
        for (const Outcome<Result>& outcome : pool.map_outcomes(options, f, numbers)) { kept.push_back(*outcome); }
        CHECK(kept == expected);
        CHECK(runs.value() == n * ++calls);
        pool.for_each(options, f, numbers);
        CHECK(runs.value() == n * ++calls);
        if constexpr (std::is_trivially_copyable_v<Result>) {
            SharedArray<Result> output(n);
            pool.map_into(options, f, numbers, output);
            CHECK(std::ranges::equal(output, expected));
            CHECK(runs.value() == n * ++calls);
        }
    }
    pool.join();
}

TEST_CASE("DTH-31 an item that forks and comes back in the child: that stores nothing and runs nothing") {
    SECTION("small results") {
        children_store_nothing<int>([](int i) { return i; });
    }
    SECTION("large results") {
        children_store_nothing<Wide>([](int i) {
            Wide wide{};
            wide.numbers.fill(i);
            return wide;
        });
    }
    SECTION("results of any size") {
        children_store_nothing<std::string>(
            [](int i) { return i == -1 ? std::string(10000, 'x') : std::to_string(i); });
    }
}

TEST_CASE("DTH-31 map_reduce: a child that an item has forked folds nothing") {
    SharedPage page;
    const Counter runs{page};
    Pool pool{1};
    const auto f = comes_back_twice<int>(runs, [](int i) { return i; });
    const auto text = comes_back_twice<std::string>(runs, [](int i) { return std::to_string(i); });
    std::string expected;
    for (int i = 0; i < 600; ++i) { expected += std::to_string(i); }
    std::int64_t calls = 0;
    for (const std::size_t chunk : {0, 10, 600}) {
        CAPTURE(chunk);
        CHECK(pool.map_reduce(MapOptions{.chunk_size = chunk}, f, std::plus<>{}, 0, first_numbers(600)) ==
              600 * 599 / 2);
        CHECK(runs.value() == 600 * ++calls);
        CHECK(pool.map_reduce(MapOptions{.chunk_size = chunk}, text, std::plus<>{}, std::string{},
                              first_numbers(600)) == expected);
        CHECK(runs.value() == 600 * ++calls);
    }
    pool.join();
}

TEST_CASE("DTH-31 cheap items that are accounted for in groups: a child that one has forked runs no other") {
    SharedPage page;
    const Counter runs{page};
    Pool pool{1};
    constexpr int n = 20000;
    const auto f = snapshot([runs](int i) {
        runs.add();
        if (i == 9000) {
            if (const pid_t child = ::fork(); child > 0) { ::waitpid(child, nullptr, 0); }
        }
        return i;
    });
    CHECK(pool.map(f, first_numbers(n)) == first_numbers(n));
    CHECK(runs.value() == n);
    pool.for_each(f, first_numbers(n));
    CHECK(runs.value() == 2 * n);
    pool.join();
}

TEST_CASE("DTH-31 items that are changed in place: a child that one has forked changes no other") {
    Pool pool{1};
    SharedArray<int> items(100);
    pool.for_each(
        [](int& item) {
            ++item;
            const pid_t child = ::fork();
            if (child > 0) { ::waitpid(child, nullptr, 0); }
        },
        items);
    CHECK(std::ranges::count(items, 1) == 100);
    pool.join();
}

template <class P>
void joined_by_its_listener() {
    for (const bool async : {false, true}) {
        SharedPage page;
        const Gate told{page};
        P pool{2};
        const MapOptions options{.chunk_size = 1, .progress = [&](const Progress&) {
                                     told.set();
                                     pool.join();
                                 }};
        const auto f = snapshot([told](int i) {
            told.wait();
            return i;
        });
        if (async) {
            CHECK_THROWS_AS(get_soon(pool.map_async(options, f, first_numbers(many))), PoolClosed);
        } else {
            CHECK_THROWS_AS(pool.map(options, f, first_numbers(many)), PoolClosed);
        }
    }
}
ON_ENGINES_WITH_WORKERS("who joins the pool in the middle of its own call ends that", joined_by_its_listener)

template <class P>
void joined_within_a_continuation() {
    SharedPage page;
    const Counter mapping{page};
    const Gate may_end{page};
    P pool{3};
    std::atomic<bool> refused{false};
    std::atomic<bool> joined{false};
    auto first = pool.apply_async(square, 1);
    auto second = pool.apply_async(snapshot([mapping] { mapping.wait_for(1); }));
    second.on_done([&] {
        may_end.set();
        pool.join();
        joined = true;
    });
    first.on_done([&] {
        try {
            pool.for_each(MapOptions{.chunk_size = 1}, snapshot([=](int) {
                              mapping.add();
                              may_end.wait();
                          }),
                          first_numbers(many));
        } catch (const PoolClosed&) { refused = true; }
    });
    wait_until([&] { return refused && joined; }, "two continuations");
}
ON_ENGINES_WITH_WORKERS("a continuation that joins the pool ends the call in which the callback thread runs it",
                        joined_within_a_continuation)

// ---- errors

TEST_CASE("fail_fast: a worker that dies after the call has stopped is the error if its item is the lowest") {
    for (const bool timed : {false, true}) {
        CAPTURE(timed);
        SharedPage page;
        const Counter begun{page};
        const Gate known{page};  // to the call: that item 1 has failed
        Pool pool{2};
        const MapOptions options{
            .chunk_size = 1, .timeout = timed ? 2s : 0s, .retries = 1, .progress = [&](const Progress& now) {
                if (now.done > 0) { known.set(); }
            }};
        std::optional<std::size_t> item;
        try {
            pool.map(options, snapshot([=](int i) {
                         if (i == 1) {
                             begun.wait_for(1);
                             throw std::out_of_range("1");
                         }
                         begun.add();
                         known.wait();
                         if (timed) { std::this_thread::sleep_for(20s); }
                         ::raise(SIGKILL);
                         return i;
                     }),
                     first_numbers(2));
        } catch (const WorkerDied& death) {
            CHECK_FALSE(timed);
            item = death.item();
        } catch (const TaskTimedOut& timeout) {
            CHECK(timed);
            item = timeout.item();
        } catch (const std::out_of_range&) { item = 1; }
        CHECK(item == 0);
        CHECK(begun.value() == 1);  // a stopped call retries nothing
    }
}

/// Can be moved so often by this process.
struct Unmovable {
    static inline std::atomic<int> moves{1000};
    int value = 0;
    explicit Unmovable(int number) : value(number) {}
    Unmovable(Unmovable&& other) : value(other.value) {
        if (--moves < 0) { throw std::length_error("moved"); }
    }
    Unmovable& operator=(Unmovable&&) = delete;
};

}  // namespace

template <>
struct procpool::Codec<Unmovable> {
    static void encode(Writer& out, const Unmovable& value) { detail::codec::encode_plain(out, value.value); }
    static Unmovable decode(Reader& in) { return Unmovable{detail::codec::decode_plain<int>(in)}; }
};

namespace {

TEST_CASE("a call that cannot take its results any more returns when nothing of it runs all the same") {
    SharedPage page;
    const Counter running{page};
    const Gate told{page};
    Pool pool{2};
    const MapOptions options{.chunk_size = 1, .progress = [&](const Progress&) {
                                 Unmovable::moves = 1;  // out of its bytes, and not to its place
                                 told.set();
                                 throw std::domain_error("enough");
                             }};
    CHECK_THROWS_AS(pool.map_outcomes(options, snapshot([=](int i) {
                                          running.add();
                                          told.wait();
                                          if (i != 0) { std::this_thread::sleep_for(100ms); }
                                          running.add(-1);
                                          return Unmovable{i};
                                      }),
                                      first_numbers(2)),
                    std::domain_error);
    CHECK(running.value() == 0);
}

// ---- statistics

TEST_CASE("stats(): items that are run again are retried and have not failed") {
    for (const std::size_t chunk : {1, 10}) {
        CAPTURE(chunk);
        Pool pool{2};
        const auto dies_once = [](int i) {
            if (this_task::attempt() == 0) { ::raise(SIGKILL); }
            return i;
        };
        CHECK(pool.map(MapOptions{.chunk_size = chunk, .retries = 1}, dies_once, first_numbers(10)) ==
              first_numbers(10));
        CHECK(pool.stats().retried == 10);
        CHECK(pool.stats().failed == 0);
        CHECK(pool.stats().workers_died == 10);
        const auto sleeps_once = [](int i) {
            if (this_task::attempt() == 0) { std::this_thread::sleep_for(20s); }
            return i;
        };
        CHECK(pool.map(MapOptions{.chunk_size = chunk, .timeout = 500ms, .retries = 1}, sleeps_once,
                       first_numbers(2)) == first_numbers(2));
        CHECK(pool.stats().retried == 12);
        CHECK(pool.stats().timed_out == 0);
        CHECK(pool.stats().failed == 0);
        CHECK_THROWS_AS(
            pool.map(
                MapOptions{.chunk_size = chunk, .retries = 2}, [](int) { return ::raise(SIGKILL); }, first_numbers(1)),
            WorkerDied);
        CHECK(pool.stats().retried == 14);
        CHECK(pool.stats().failed == 1);
    }
}

}  // namespace

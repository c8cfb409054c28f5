// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/sent_callable.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"
#include "support/counted.hpp"

#include <procpool/codec/bind_front.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <csignal>

using namespace procpool_test;

namespace {

/// The encoded bytes, where they were.
struct View {
    std::string text;
    std::span<const std::byte> bytes;
};

/// A value that cannot be encoded, or decoded.
struct Bad {
    bool encodes;
    std::string text;
};

}  // namespace

template <>
struct procpool::Codec<Bad> {
    static void encode(Writer& out, const Bad& bad) {
        Codec<std::string>::encode(out, bad.text);
        if (!bad.encodes) { throw std::domain_error("not encoded"); }
    }
    static Bad decode(Reader& in) {
        static_cast<void>(Codec<std::string>::decode(in));
        throw std::range_error("not decoded");
    }
};

template <>
struct procpool::Codec<View> {
    static void encode(Writer& out, const View& view) { out.write(view.text.data(), view.text.size()); }
    static View decode(Reader& in) {
        const std::size_t size = in.remaining();
        return {"", {in.take(size), size}};
    }
};

namespace {

constexpr std::size_t large = 100'000;  // numbers: more than one extent holds
constexpr std::size_t small = 10;
constexpr int items_of_call = 300;
constexpr int ways = 12;

int add(const Counted& payload, int i) { return payload.value() + i; }
int sum_of(int value) { return items_of_call * (items_of_call - 1) / 2 + items_of_call * value; }

/// Calls f for 0 … items_of_call-1 in one of the ways there are. Returns: the sum of the results.
template <class P, class F>
int sum_by_call(P& pool, int way, const MapOptions& options, const F& f) {
    const std::vector<int> items = first_numbers(items_of_call);
    std::vector<int> results;
    switch (way) {
        case 0: results = pool.map(options, f, items); break;
        case 1: results = pool.map(options, f, Generator{items_of_call}); break;
        case 2:
            results = pool.starmap(options, f, items | std::views::transform([](int i) { return std::tuple{i}; }));
            break;
        case 3:
            results.resize(items.size());
            pool.map_into(options, f, items, results);
            break;
        case 4: return pool.map_reduce(options, f, std::plus<>{}, 0, items);
        case 5:
            for (const Outcome<int>& outcome : pool.map_outcomes(options, f, items)) { results.push_back(*outcome); }
            break;
        case 6: results = get_soon(pool.map_async(options, f, items)); break;
        case 7:
            for (const int result : pool.imap(options, f, items)) { results.push_back(result); }
            break;
        case 8:
            for (const auto& [index, value] : pool.imap_unordered(options, f, Generator{items_of_call})) {
                results.push_back(value);
            }
            break;
        case 9: {
            SharedPage page;
            Counter sum{page};
            if (has_processes<P>()) { pool.refork(); }  // so that workers have the page
            pool.for_each(options,
                          procpool::bind_front([](const F& to, Counter all, int i) { all.add(to(i)); }, f, sum), items);
            return static_cast<int>(sum.value());
        }
        case 10:
            results = pool.map(
                options, [](int i, const F& to) { return to(i); }, items, repeat(f));
            break;
        default: {
            SharedArray<int> in_place(items.size());
            std::ranges::copy(items, in_place.begin());
            pool.for_each(
                options, [](int& i, const F& to) { i = to(i); }, in_place, repeat(f));
            results.assign(in_place.begin(), in_place.end());
        }
    }
    return std::accumulate(results.begin(), results.end(), 0);
}

/// Blocks until no worker has anything of these.
void wait_until_none_is_alive(const Counts& counts) {
    wait_until([&] { return counts.alive.value() == 0; }, "values of a call that has ended to be destroyed");
}

template <class P>
void sent_once() {
    SharedPage page;
    const Counts counts{page};
    P pool{2};
    for (int way = 0; way < ways; ++way) {
        for (const MapOptions& options : {MapOptions{}, MapOptions{.chunk_size = 7}, MapOptions{.retries = 1}}) {
            CAPTURE(way, options.chunk_size, options.retries);
            counts.reset();
            CHECK(sum_by_call(pool, way, options, procpool::bind_front(add, Counted{counts, large, way})) ==
                  sum_of(way));
            CHECK(counts.encoded.value() == 1);
            CHECK(counts.decoded.value() >= 1);
            CHECK(counts.decoded.value() <= static_cast<std::int64_t>(pool.size()));
            wait_until_none_is_alive(counts);
        }
    }
}
ON_EVERY_ENGINE("a large bound value is encoded once for a call and decoded once by each worker", sent_once)

template <class P>
void copied() {
    SharedPage page;
    P pool{2};
    const Counts counts{page};
    CHECK(sum_by_call(pool, 0, {.chunk_size = 10}, procpool::bind_front(add, Counted{counts, small, 1})) == sum_of(1));
    CHECK(counts.encoded.value() == 1);
    CHECK(counts.decoded.value() == items_of_call / 10);
    CHECK(counts.alive.value() == 0);
}
ON_EVERY_ENGINE("a small bound value is decoded for each chunk", copied)

/// A function object that calls change, and one of its kind that they could leave as it is.
struct Changing {
    Counted payload;
    int calls = 0;
    int operator()(int i) { return add(payload, i) + 1000 * std::exchange(calls, 1); }
};
struct Overloaded {
    Counted payload;
    int operator()(int) { return -1; }
    int operator()(int i) const { return add(payload, i); }
};

template <class P>
void changed() {
    SharedPage page;
    P pool{2};
    const Counts counts{page};
    const std::vector<int> results = pool.map({.chunk_size = 10}, Changing{{counts, large, 0}}, first_numbers(100));
    for (int i = 0; i < 100; ++i) { CHECK(results[static_cast<std::size_t>(i)] == (i % 10 == 0 ? i : i + 1000)); }
    CHECK(counts.encoded.value() == 1);
    CHECK(counts.decoded.value() == 10);
    CHECK(counts.alive.value() == 0);

    const Counts of_imap{page};
    int sum = 0;
    for (const int result : pool.imap({.chunk_size = 5}, Changing{{of_imap, large, 0}}, first_numbers(10))) {
        sum += result;
    }
    CHECK(sum == 45 + 8 * 1000);
    CHECK(of_imap.encoded.value() == 1);
    CHECK(of_imap.decoded.value() == 2);

    const Counts of_both{page};
    CHECK(pool.map({.chunk_size = 1}, Overloaded{{of_both, large, 0}}, first_numbers(10)) == first_numbers(10));
    CHECK(of_both.decoded.value() <= static_cast<std::int64_t>(pool.size()));
}
ON_EVERY_ENGINE("a large function object that calls change is decoded for each chunk", changed)

template <class P>
void moved() {
    P pool{2};
    std::vector<std::unique_ptr<int>> numbers;
    for (int i = 0; i < 1000; ++i) { numbers.push_back(std::make_unique<int>(i)); }
    const auto looks = [](const std::vector<std::unique_ptr<int>>& all, int i) {
        return *all.at(static_cast<std::size_t>(i));
    };
    CHECK(pool.map({.chunk_size = 7}, procpool::bind_front(looks, std::move(numbers)), first_numbers(100)) ==
          first_numbers(100));

    const std::vector<int> memory = first_numbers(1000);
    const auto views = [](std::span<const int> all, int i) { return all[static_cast<std::size_t>(i)]; };
    CHECK(pool.map({.chunk_size = 7}, procpool::bind_front(views, std::span{memory}), first_numbers(100)) ==
          first_numbers(100));
    CHECK(std::ranges::equal(pool.imap(procpool::bind_front(views, std::span{memory}), first_numbers(100)),
                             first_numbers(100)));
}
ON_EVERY_ENGINE("a large bound value may be move-only or a view", moved)

template <class P>
void folded() {
    SharedPage page;
    P pool{2};
    const Counts of_map{page};
    const Counts of_fold{page};
    const auto plus = [](const Counted& payload, int a, int b) { return a + b + payload.value(); };
    CHECK(pool.map_reduce({.chunk_size = 10}, procpool::bind_front(add, Counted{of_map, large, 1}),
                          procpool::bind_front(plus, Counted{of_fold, large, 0}), 0,
                          first_numbers(items_of_call)) == sum_of(1));
    CHECK(of_map.encoded.value() == 1);
    CHECK(of_fold.encoded.value() == 1);
    CHECK(of_fold.decoded.value() <= static_cast<std::int64_t>(pool.size()));
    wait_until_none_is_alive(of_fold);
}
ON_EVERY_ENGINE("both functions of map_reduce are sent once", folded)

template <class P>
void errors() {
    P pool{2};
    const auto f = [](const Bad&, int i) { return i; };
    for (const std::size_t size : {std::size_t{1}, 10 * large}) {
        const std::string text(size, 'x');
        const auto not_encoded = procpool::bind_front(f, Bad{false, text});
        const auto not_decoded = procpool::bind_front(f, Bad{true, text});
        CHECK_THROWS_AS(pool.map(not_encoded, first_numbers(10)), std::domain_error);
        CHECK_THROWS_AS(pool.map(not_decoded, first_numbers(10)), std::range_error);
        CHECK_THROWS_AS(get_soon(pool.map_async(not_encoded, first_numbers(10))), std::domain_error);
        auto none = pool.imap(not_encoded, first_numbers(10));
        CHECK_THROWS_AS(*none.begin(), std::domain_error);
        int failed = 0;
        for (const Outcome<int>& outcome : pool.map_outcomes(not_decoded, first_numbers(10))) {
            CHECK_THROWS_AS(outcome.value(), std::range_error);
            ++failed;
        }
        CHECK(failed == 10);
        CHECK(pool.map(not_encoded, std::vector<int>{}).empty());
    }
    CHECK(pool.map(square, first_numbers(3)) == std::vector{0, 1, 4});
}
ON_EVERY_ENGINE("a large callable that does not encode or decode is an error of its items", errors)

template <class P>
void side_by_side() {
    constexpr int threads = 6;  // more than a worker keeps
    for (const std::size_t capacity : {std::size_t{1}, std::size_t{3}, std::size_t{4096}}) {
        CAPTURE(capacity);
        SharedPage page;
        P pool{{.workers = 2, .queue_capacity = capacity}};
        const Counts counts{page};
        std::atomic<int> wrong{0};
        std::vector<std::jthread> callers;
        for (int thread = 0; thread < threads; ++thread) {
            callers.emplace_back([&, thread] {
                for (int round = 0; round < 2; ++round) {
                    for (const int way : {0, 6, 7}) {
                        const int value = 10 * thread + round;
                        const auto f =
                            procpool::bind_front(add, Counted{counts, large + static_cast<std::size_t>(value), value});
                        if (sum_by_call(pool, way, {.chunk_size = 10}, f) != sum_of(value)) { ++wrong; }
                    }
                }
            });
        }
        callers.clear();
        CHECK(wrong == 0);
        CHECK(counts.encoded.value() == threads * 2 * 3);
        wait_until_none_is_alive(counts);
    }
}
ON_EVERY_ENGINE("calls that run side by side each have their own callable", side_by_side)

/// More ranges are read in turns than a worker keeps callables.
template <class P>
void in_turns() {
    SharedPage page;
    P pool{1};
    const Counts counts{page};
    const std::vector<int> items = first_numbers(50);
    std::vector<ResultRange<int>> ranges;
    for (int value = 0; value < 8; ++value) {
        ranges.push_back(
            pool.imap({.chunk_size = 1, .window = 2}, procpool::bind_front(add, Counted{counts, large, value}), items));
    }
    std::vector<ResultRange<int>::iterator> at;
    for (auto& range : ranges) { at.push_back(range.begin()); }
    for (const int i : items) {
        for (std::size_t value = 0; value < ranges.size(); ++value) {
            CHECK(*at[value] == i + static_cast<int>(value));
            ++at[value];
        }
    }
    CHECK(counts.encoded.value() == 8);
    CHECK(counts.alive.value() <= 4);
    ranges.clear();
    wait_until_none_is_alive(counts);
}
ON_EVERY_ENGINE("a worker keeps few callables at a time", in_turns)

template <class P>
void consumed() {
    SharedPage page;
    P pool{2};
    const Counts counts{page};
    auto range = pool.imap(procpool::bind_front(add, Counted{counts, large, 1}), first_numbers(10));
    int sum = 0;
    for (const int result : range) { sum += result; }
    CHECK(sum == 45 + 10);
    wait_until_none_is_alive(counts);
}
ON_EVERY_ENGINE("a callable is let go at the end of its range of results", consumed)

/// The consumer goes while an item runs; the callable of another call may be where this one's would have been.
template <class P>
void abandoned() {
    SharedPage page;
    P pool{2};
    const Counts counts{page};
    const Counts of_others{page};
    const Gate may_look{page};
    const Counter started{page};
    const Counter seen{page};
    const auto looks = [=](const Counted&, const View& view, int) {
        started.add();
        may_look.wait();
        seen.add(std::ranges::count(view.bytes, std::byte{'x'}));
        return 0;
    };
    {
        auto range = pool.imap(
            procpool::bind_front(snapshot(looks), Counted{counts, large, 1}, View{std::string(10 * large, 'x'), {}}),
            first_numbers(1));
        started.wait_for(1);
    }
    for (int i = 0; i < 3; ++i) {
        CHECK(sum_by_call(pool, 0, {}, procpool::bind_front(add, Counted{of_others, 10 * large, i})) == sum_of(i));
    }
    may_look.set();
    seen.wait_for(1);
    CHECK(seen.value() == static_cast<std::int64_t>(10 * large));
    wait_until_none_is_alive(counts);
    wait_until_none_is_alive(of_others);
}
ON_ENGINES_WITH_WORKERS("an item that runs on when its consumer has gone has what it was called with", abandoned)

template <class P>
void ended_in_the_middle() {
    for (const bool killed : {false, true}) {
        for (const int way : {0, 6, 7}) {
            CAPTURE(killed, way);
            SharedPage page;
            P pool{{.workers = 2, .terminate_grace = 0ms}};
            const Counts counts{page};
            const Counter started{page};
            const Gate ended{page};
            const auto waits = [=](const Counted& payload, int i) {
                started.add();
                while (!ended.is_set() && !this_task::stop_token().stop_requested()) { std::this_thread::yield(); }
                return add(payload, i);
            };
            std::jthread ender{[&] {
                started.wait_for(1);
                killed ? pool.kill() : pool.terminate();
                ended.set();
            }};
            CHECK_THROWS_AS(sum_by_call(pool, way, {.chunk_size = 1},
                                        procpool::bind_front(snapshot(waits), Counted{counts, large, 1})),
                            PoolTerminated);
            ender.join();
            pool.join();
            CHECK(counts.encoded.value() == 1);
            if (!has_processes<P>()) { CHECK(counts.alive.value() == 0); }
        }
    }
}
ON_ENGINES_WITH_WORKERS("a pool that is terminated in the middle of a call with a large callable", ended_in_the_middle)

template <class P>
void finalized() {
    SharedPage page;
    const Counts counts{page};
    const Counter left{page};
    {
        P pool{{.workers = 2, .finalizer = [=] { left.add(1 + 1000 * counts.alive.value()); }}};
        CHECK(sum_by_call(pool, 0, {}, procpool::bind_front(add, Counted{counts, large, 1})) == sum_of(1));
        pool.close();
    }
    if (has_workers<P>()) { CHECK(left.value() % 1000 == 2); }
    CHECK(counts.alive.value() == 0);
}
ON_EVERY_ENGINE("workers destroy what they keep before they end", finalized)

/// Like a Counted, but the worker that destroys it dies.
struct Deadly {
    std::vector<int> numbers;
    bool is_decoded = false;
    Deadly(std::vector<int> from, bool decoded) : numbers(std::move(from)), is_decoded(decoded) {}
    Deadly(const Deadly&) = default;
    Deadly(Deadly&& other) noexcept
        : numbers(std::move(other.numbers)),
          is_decoded(std::exchange(other.is_decoded, false)) {}
    ~Deadly() {
        if (is_decoded) { std::abort(); }
    }
};

}  // namespace

template <>
struct procpool::Codec<Deadly> {
    static void encode(Writer& out, const Deadly& deadly) { Codec<std::vector<int>>::encode(out, deadly.numbers); }
    static Deadly decode(Reader& in) { return {Codec<std::vector<int>>::decode(in), true}; }
};

TEST_CASE("a worker that dies as it destroys what it kept is no task's casualty") {
    Pool pool{2};
    const auto f = [](const Deadly&, int i) { return i; };
    for (std::size_t round = 1; round <= 3; ++round) {
        CHECK(pool.map(procpool::bind_front(f, Deadly{first_numbers(large), false}), first_numbers(100)) ==
              first_numbers(100));
        wait_until([&] { return pool.stats().workers_died >= round; }, "a worker to die");
    }
    CHECK(pool.map(square, first_numbers(3)) == std::vector{0, 1, 4});
    CHECK(pool.stats().failed == 0);
}

TEST_CASE("workers are killed at random in calls with large callables") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random{seed};
    SharedPage page;
    const Counts counts{page};
    const Counter done{page};
    Pool pool{2};
    std::atomic<bool> is_over{false};
    std::jthread killer{[&] {
        for (std::int64_t at = 0; !is_over;) {
            at += std::uniform_int_distribution{20, 400}(random);
            while (!is_over && done.value() < at) { std::this_thread::yield(); }
            const std::vector<WorkerInfo> workers = pool.workers();
            const pid_t victim = workers[random() % workers.size()].pid;
            if (victim > 0) { ::kill(victim, SIGKILL); }
        }
    }};
    const auto f = [=](const Counted& payload, int i) {
        done.add();
        return add(payload, i);
    };
    for (int round = 0; round < 10; ++round) {
        const int way = std::array{0, 4, 6, 7, 8}[random() % 5];
        CAPTURE(round, way);
        counts.reset();
        CHECK(sum_by_call(pool, way, {.chunk_size = 5, .retries = 1000},
                          procpool::bind_front(snapshot(f), Counted{counts, large, round})) == sum_of(round));
        CHECK(counts.encoded.value() == 1);
    }
    is_over = true;
}

/// Bytes of shared memory that this process has.
std::size_t shared_memory() {
    std::ifstream status{"/proc/self/status"};
    for (std::string word; status >> word;) {
        std::size_t kilobytes = 0;
        if (word == "RssShmem:" && status >> kilobytes) { return kilobytes << 10; }
    }
    throw std::runtime_error("no RssShmem in /proc/self/status");
}

TEST_CASE("calls that their consumer abandons leave no memory taken") {
    SharedPage page;
    Pool pool{2};
    const Counts counts{page};
    constexpr std::size_t numbers = std::size_t{2} << 20;
    const std::size_t before = shared_memory();
    for (int round = 0; round < 30; ++round) {
        auto range = pool.imap({.chunk_size = 1}, procpool::bind_front(add, Counted{counts, numbers, round}),
                               first_numbers(items_of_call));
        CHECK(*range.begin() == round);
    }
    CHECK(shared_memory() - before < 10 * numbers * sizeof(int));
    CHECK(counts.encoded.value() == 30);
    wait_until_none_is_alive(counts);
}

TEST_CASE("workers are reforked in the middle of a call with a large callable") {
    SharedPage page;
    const Counts counts{page};
    const Counter started{page};
    Pool pool{2};
    std::jthread reforker{[&] {
        for (int i = 1; i <= 3; ++i) {
            started.wait_for(50 * i);
            pool.refork();
        }
    }};
    const auto f = [=](const Counted& payload, int i) {
        started.add();
        return add(payload, i);
    };
    CHECK(sum_by_call(pool, 0, {.chunk_size = 1}, procpool::bind_front(snapshot(f), Counted{counts, large, 1})) ==
          sum_of(1));
    reforker.join();
    CHECK(counts.encoded.value() == 1);
    CHECK(counts.decoded.value() <= 8);
}

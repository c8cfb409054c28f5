// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/imap.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <algorithm>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <ranges>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace procpool_test;

namespace {

static_assert(std::ranges::input_range<ResultRange<int>> && !std::copyable<ResultRange<int>> &&
              std::movable<ResultRange<int>>);
static_assert(std::ranges::input_range<ResultRange<std::unique_ptr<int>>>);

/// 0, 1, 2 … without end; counts how many were read. Move-only.
class Endless {
public:
    explicit Endless(std::size_t& read) : read_(&read) {}
    Endless(Endless&&) = default;
    Endless& operator=(Endless&&) = default;
    class iterator {
    public:
        using value_type = int;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;
        iterator() = default;
        explicit iterator(Endless* from) : from_(from) { ++*from_->read_; }
        int operator*() const { return from_->at_; }
        iterator& operator++() {
            ++from_->at_;
            ++*from_->read_;
            return *this;
        }
        void operator++(int) { ++*this; }

    private:
        Endless* from_ = nullptr;
    };
    iterator begin() {
        if (std::exchange(begun_, true)) { throw std::logic_error("begun twice"); }
        return iterator{this};
    }
    static std::unreachable_sentinel_t end() { return {}; }

private:
    std::size_t* read_;
    int at_ = 0;
    bool begun_ = false;
};
static_assert(std::ranges::input_range<Endless>);

template <class Range>
auto collect(Range&& range) {
    std::vector<std::ranges::range_value_t<Range>> all;
    for (auto& x : range) { all.push_back(std::move(x)); }
    return all;
}

template <class P>
void imap_equals_the_serial_loop() {
    P pool{3};
    for (const std::size_t n : {0, 1, 2, 3, 4, 40, 500}) {
        std::vector<int> expected;
        for (const int i : first_numbers(n)) { expected.push_back(square(i)); }
        for (const std::size_t chunk : {0, 1, 6, 100, 1000}) {
            for (const std::size_t window : {0, 1, 5, 1000}) {
                CAPTURE(n, chunk, window);
                const MapOptions options{.chunk_size = chunk, .window = window};
                const std::vector<int> numbers = first_numbers(n);
                CHECK(collect(pool.imap(options, square, numbers)) == expected);
                CHECK(collect(pool.imap(options, square, first_numbers(n))) == expected);
                CHECK(collect(pool.imap(options, square, Generator{static_cast<int>(n)})) == expected);
                CHECK(collect(pool.imap(options, std::multiplies<>{}, numbers, first_numbers(n + 1))) == expected);
                std::vector<std::optional<int>> found(n);
                for (const auto& [index, value] : pool.imap_unordered(options, square, numbers)) {
                    REQUIRE(index < n);
                    CHECK_FALSE(found[index].has_value());
                    found[index] = value;
                }
                CHECK(std::equal(found.begin(), found.end(), expected.begin(), expected.end()));
            }
        }
    }
}
ON_EVERY_ENGINE("API-08 imap and imap_unordered equal the serial loop for any window and chunk size",
                imap_equals_the_serial_loop)

template <class P>
void protocol() {
    P pool{2};
    auto range = pool.imap(square, first_numbers(10));
    auto it = range.begin();
    for (int i = 0; i < 10; ++i, ++it) {
        REQUIRE(it != range.end());
        CHECK(*it == i * i);
        CHECK(*it == i * i);  // as often as one likes
    }
    CHECK(it == range.end());
    CHECK(range.is_over());
    for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(range.next().has_value());
        CHECK_FALSE(range.next_for(1ms).has_value());
        CHECK(range.begin() == range.end());
    }
    auto by_next = pool.imap_unordered(MapOptions{.chunk_size = 100}, square, first_numbers(1000));
    std::multiset<int> squares;
    while (const auto result = by_next.next()) { squares.insert((*result)->value); }
    CHECK(squares.size() == 1000);
    CHECK_FALSE(by_next.next().has_value());
    for (const std::size_t n : {0, 1}) {
        CHECK(collect(pool.imap(MapOptions{.chunk_size = 1}, square, first_numbers(n))).size() == n);
        CHECK(collect(pool.imap_unordered(MapOptions{.chunk_size = 1}, square, first_numbers(n))).size() == n);
    }
    std::vector<std::string> moved;
    auto texts = pool.imap([](int i) { return std::string(100, static_cast<char>('a' + i)); }, first_numbers(3));
    ResultRange<std::string> elsewhere = std::move(texts);
    auto at = elsewhere.begin();
    ResultRange<std::string> again = std::move(elsewhere);  // iterators stay good
    for (; at != again.end(); ++at) { moved.push_back(std::move(*at)); }
    CHECK(moved.back() == std::string(100, 'c'));
    auto pointers = collect(
        pool.imap([](std::unique_ptr<int> p) { return p; },
                  std::views::iota(0, 3) | std::views::transform([](int i) { return std::make_unique<int>(i); })));
    CHECK(*pointers[2] == 2);
    pool.close();
    CHECK(pool.join_for(wait_limit));
}
ON_EVERY_ENGINE("API-08 the end stays the end; results may be moved out", protocol)

TEST_CASE("ORD-01 imap keeps the order whatever ends first") {
    for (const std::size_t workers : {1, 2, 4, 8}) {
        Pool pool{workers};
        CHECK(collect(pool.imap(
                  [](int i) {
                      std::this_thread::sleep_for(std::chrono::microseconds{(64 - i) * 20});
                      return i;
                  },
                  first_numbers(64))) == first_numbers(64));
    }
}

template <class P>
void fast_ones_first() {
    SharedPage page;
    const Gate may_end{page};
    P pool{2};
    auto range = pool.imap_unordered(snapshot([may_end](int i) {
                                         if (i == 0) { may_end.wait(); }
                                         return i;
                                     }),
                                     first_numbers(8));
    std::vector<std::size_t> order;
    for (auto it = range.begin(); it != range.end(); ++it) {
        order.push_back((*it).index);
        CHECK(it->value == static_cast<int>(it->index));
        if (order.size() == 7) { may_end.set(); }
    }
    CHECK(order.size() == 8);
    CHECK(order.back() == 0);
}
ON_ENGINES_WITH_WORKERS("ORD-02 imap_unordered gives fast ones first", fast_ones_first)

template <class P>
void one_worker_in_order() {
    P pool{1};
    for (int round = 0; round < 20; ++round) {
        std::vector<std::size_t> order;
        for (const auto& [index, value] : pool.imap_unordered(MapOptions{.chunk_size = 1}, square, first_numbers(50))) {
            order.push_back(index);
        }
        CHECK(std::ranges::is_sorted(order));
        CHECK(order.size() == 50);
    }
}
ON_EVERY_ENGINE("ORD-04 one worker: imap_unordered is in order", one_worker_in_order)

template <class P>
void bounded() {
    P pool{2};
    for (const std::size_t window : {std::size_t{1}, std::size_t{5}, std::size_t{0}}) {
        for (const std::size_t chunk : {std::size_t{1}, std::size_t{3}}) {
            CAPTURE(window, chunk);
            const std::size_t most = window != 0 ? window : 4 * pool.size() * chunk;
            std::size_t read = 0;
            std::size_t taken = 0;
            auto range = pool.imap(MapOptions{.chunk_size = chunk, .window = window}, square, Endless{read});
            CHECK(read <= most);
            for (const int x : range) {
                REQUIRE(x == square(static_cast<int>(taken)));
                ++taken;
                REQUIRE(read <= taken + most);
                if (taken == 200) { break; }
            }
            std::size_t read_by_other = 0;
            auto other =
                pool.imap_unordered(MapOptions{.chunk_size = chunk, .window = window}, square, Endless{read_by_other});
            for (int i = 0; i < 100; ++i) { REQUIRE(other.next()->has_value()); }
            CHECK(read_by_other <= 100 + most);
        }
    }
    std::size_t read = 0;
    auto beyond_reason = pool.imap(MapOptions{.chunk_size = SIZE_MAX}, square, Endless{read});
    CHECK(*beyond_reason.begin() == 0);
}
ON_EVERY_ENGINE("an endless input is read no further than the window ahead", bounded)

template <class P>
void single_pass_input() {
    P pool{2};
    std::istringstream stream{"1 2 3 4 5"};
    CHECK(collect(pool.imap(square, std::views::istream<int>(stream))) == std::vector<int>{1, 4, 9, 16, 25});
    // Items of a blocking input are submitted before the next is requested.
    std::size_t read = 0;
    auto range = pool.imap(MapOptions{.window = 1}, square, Endless{read});
    CHECK(read == 1);
    CHECK(**range.next() == 0);
    CHECK(read == 1);
    CHECK(**range.next() == 1);
    CHECK(read == 2);
}
ON_EVERY_ENGINE("single-pass inputs - read one by one", single_pass_input)

template <class P>
void errors_in_place() {
    P pool{2};
    for (const std::size_t chunk : {1, 4, 100}) {
        CAPTURE(chunk);
        auto range = pool.imap(
            MapOptions{.chunk_size = chunk},
            [](int i) { return i % 3 == 1 ? throw std::out_of_range(std::to_string(i)) : i; }, first_numbers(20));
        int at = 0;
        for (auto it = range.begin(); it != range.end(); ++it, ++at) {
            if (at % 3 == 1) {
                try {
                    static_cast<void>(*it);
                    CHECK(false);
                } catch (const std::out_of_range& error) { CHECK(error.what() == std::to_string(at)); }
            } else {
                CHECK(*it == at);
            }
        }
        CHECK(at == 20);
        auto unordered = pool.imap_unordered(
            MapOptions{.chunk_size = chunk}, [](int i) { return i % 3 == 1 ? throw std::out_of_range("no") : i; },
            first_numbers(20));
        int failed = 0;
        int good = 0;
        while (const auto outcome = unordered.next()) { ++(*outcome ? good : failed); }
        CHECK(failed == 7);
        CHECK(good == 13);
        // One that stops a loop stops the call.
        CHECK_THROWS_AS(collect(pool.imap(
                            MapOptions{.chunk_size = chunk}, [](int) -> int { throw std::out_of_range("no"); },
                            std::views::iota(0))),
                        std::out_of_range);
    }
    CHECK(pool.apply(square, 3) == 9);
}
ON_EVERY_ENGINE("EXC-05 a failed item is thrown in its place and ++ goes on", errors_in_place)

template <class P>
void throwing_inputs() {
    P pool{2};
    for (int round = 0; round < 2; ++round) {
        for (const int bad : {0, 2, 6}) {
            for (const std::size_t chunk : {1, 2, 4, 100}) {
                CAPTURE(bad, chunk);
                const MapOptions options{.chunk_size = chunk};
                auto range = pool.imap(options, square, Generator{10, bad});
                int at = 0;
                auto it = range.begin();
                for (; at < bad; ++at, ++it) { REQUIRE(*it == at * at); }
                CHECK_THROWS_AS(*it, std::domain_error);
                CHECK(++it == range.end());
                auto unordered = pool.imap_unordered(options, square, Generator{10, bad});
                for (at = 0; at < bad; ++at) { REQUIRE(unordered.next()->has_value()); }
                CHECK_THROWS_AS(unordered.next()->value(), std::domain_error);
                CHECK_FALSE(unordered.next().has_value());
            }
        }
        CHECK(pool.apply(square, 3) == 9);
    }
}
ON_EVERY_ENGINE("EXC-09 what the input throws comes after all results before it", throwing_inputs)

TEST_CASE("DTH-02 imap: workers that die and items that time out - cost one item each") {
    Pool pool{2};
    for (const std::size_t chunk : {1, 7, 100}) {
        CAPTURE(chunk);
        auto range = pool.imap(
            MapOptions{.chunk_size = chunk, .window = 50, .timeout = 1s},
            [](int i) {
                if (i == 5 || i == 39) { ::raise(SIGKILL); }
                if (i == 20) { std::this_thread::sleep_for(20s); }
                return std::to_string(i);
            },
            first_numbers(40));
        for (int i = 0; i < 40; ++i) {
            const auto outcome = range.next();
            REQUIRE(outcome.has_value());
            if (i == 5 || i == 39) {
                CHECK_THROWS_AS(outcome->value(), WorkerDied);
            } else if (i == 20) {
                CHECK_THROWS_AS(outcome->value(), TaskTimedOut);
            } else {
                CHECK(outcome->value() == std::to_string(i));
            }
        }
        CHECK_FALSE(range.next().has_value());
        auto retried = pool.imap(
            MapOptions{.chunk_size = chunk, .retries = 1},
            [](int i) {
                if (i % 9 == 0 && this_task::attempt() == 0) { ::raise(SIGKILL); }
                return i;
            },
            first_numbers(20));
        CHECK(collect(retried) == first_numbers(20));
    }
    Pool recycled{{.workers = 2, .max_tasks_per_worker = 3}};
    CHECK(collect(recycled.imap(
              MapOptions{.chunk_size = 10}, [](int i) { return i; }, first_numbers(100))) == first_numbers(100));
}

// A chunk that had lost its worker left its slot without the results so far: its first item was blamed, and those
// before the one that had killed the worker ran again.
TEST_CASE("imap: a chunk that has died and makes room for others keeps the results of the items before the death") {
    SharedPage page;
    const Counter runs{page};
    Pool pool{{.workers = 1, .queue_capacity = 1}};
    auto range = pool.imap(MapOptions{.chunk_size = 10, .window = 10}, snapshot([runs](int i) {
                               runs.add();
                               if (i == 5) { ::raise(SIGKILL); }
                               return i;
                           }),
                           first_numbers(10));
    CHECK(pool.apply(square, 3) == 9);  // in the same slot
    for (int i = 0; i < 10; ++i) {
        const auto outcome = range.next();
        REQUIRE(outcome.has_value());
        if (i == 5) {
            CHECK_THROWS_AS(outcome->value(), WorkerDied);
        } else {
            CHECK(outcome->value() == i);
        }
    }
    CHECK(runs.value() == 10);
    CHECK(pool.stats().workers_died == 1);
}

template <class P>
void timed() {
    SharedPage page;
    const Gate may_end{page};
    P pool{2};
    auto range = pool.imap(snapshot([may_end](int i) {
                               if (i == 1) { may_end.wait(); }
                               return i;
                           }),
                           first_numbers(3));
    CHECK(**range.next() == 0);
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(range.next_for(30ms).has_value());
    CHECK(since(start) >= 30ms);
    CHECK_FALSE(range.next_for(0ms).has_value());
    CHECK_FALSE(range.next_for(-1s).has_value());
    CHECK_FALSE(range.is_over());
    may_end.set();
    CHECK(**range.next_for(wait_limit) == 1);
    CHECK(**range.next_for(wait_limit) == 2);
    CHECK_FALSE(range.next_for(std::chrono::hours::max()).has_value());
    CHECK(range.is_over());
}
ON_ENGINES_WITH_WORKERS("TMO-01 next_for() comes back in time and leaves the call alone", timed)

template <class P>
void dropped() {
    SharedPage page;
    const Gate may_end{page};
    const Counter started{page};
    P pool{2};
    const auto task = snapshot([=](int i) {
        started.add();
        if (i > 0) { may_end.wait(); }
        return i;
    });
    {
        auto range = pool.imap(MapOptions{.window = 100}, task, first_numbers(1000));
        CHECK(**range.next() == 0);
        started.wait_for(2);
    }
    may_end.set();
    pool.close();
    pool.join();
    CHECK(started.value() <= 4);  // chunks that ran then, and those that the workers took before they were withdrawn
}
ON_ENGINES_WITH_WORKERS("TMO-16 dropping the range stops what has not started", dropped)

template <class P>
void slow_input_withholds_nothing() {
    SharedPage page;
    const Gate third_given{page};
    P pool{1};
    const auto all_but_four = [&](int i) {
        if (i == 4) { third_given.wait(); }
        return i;
    };
    const auto check = [&](auto range, auto value_of) {
        static_cast<void>(pool.apply(same, 0));  // the items before have ended by now
        std::vector<int> got;
        while (auto result = range.next()) {
            got.push_back(value_of(**result));
            if (got.size() == 3) { third_given.set(); }
        }
        CHECK(got == std::vector{0, 1, 2, 3, 4, 5, 6, 7});
    };
    check(pool.imap(MapOptions{.window = 4}, same, std::views::iota(0, 8) | std::views::transform(all_but_four)),
          [](int value) { return value; });
    check(pool.imap_unordered(MapOptions{.window = 4}, same,
                              std::views::iota(0, 8) | std::views::transform(all_but_four)),
          [](const Indexed<int>& one) { return one.value; });
}
ON_EVERY_ENGINE("imap: an input whose next item waits for a result withholds none", slow_input_withholds_nothing)

template <class P>
void asked_without_time() {
    SharedPage page;
    const Counter started{page};
    const Gate may_end{page};
    P pool{1};
    int last_read = -1;
    auto range = pool.imap(MapOptions{.window = 4}, snapshot([=](int i) {
                               started.add();
                               if (i == 3) { may_end.wait(); }
                               return i;
                           }),
                           std::views::iota(0, 6) | std::views::transform([&](int i) { return last_read = i; }));
    started.wait_for(4);
    for (int i = 0; i < 3; ++i) { CHECK(**range.next_for(0ms) == i); }
    CHECK_FALSE(range.next_for(0ms).has_value());
    CHECK_FALSE(range.is_over());
    CHECK(last_read == 3);
    may_end.set();
    for (int i = 3; i < 6; ++i) { CHECK(**range.next() == i); }
    CHECK_FALSE(range.next().has_value());
    CHECK(last_read == 5);
}
ON_ENGINES_WITH_WORKERS("imap: next_for() without time reads no input while something is under way", asked_without_time)

template <class P>
void cheap_items_in_chunks() {
    P pool{2};
    constexpr std::size_t n = 30000;
    const std::vector<int> numbers = first_numbers(n);
    std::uint64_t before = pool.stats().submitted;
    const auto tasks = [&] { return pool.stats().submitted - std::exchange(before, pool.stats().submitted); };
    for (const std::size_t window : {0, 1000}) {
        CAPTURE(window);
        const MapOptions options{.window = window};
        CHECK(collect(pool.imap(options, same, numbers)) == numbers);
        CHECK(tasks() < n / 2);
        CHECK(collect(pool.imap_unordered(options, same, std::views::iota(0, static_cast<int>(n)))).size() == n);
        CHECK(tasks() < n / 2);
    }
    CHECK(collect(pool.imap(MapOptions{.chunk_size = 1}, same, first_numbers(100))) == first_numbers(100));
    CHECK(tasks() == 100);
}
ON_EVERY_ENGINE("imap: cheap items travel together unless they are not to", cheap_items_in_chunks)

template <class P>
void input_that_waits_for_its_items() {
    SharedPage page;
    const Counter ran{page};
    P pool{2};
    constexpr int n = 3000;
    const auto task = snapshot([ran](int i) {
        ran.add();
        return i;
    });
    const auto input = std::views::iota(0, n) | std::views::transform([&](int i) {
                           ran.wait_for(i);  // all before it, which have been read
                           return i;
                       });
    CHECK(collect(pool.imap(task, input)) == first_numbers(n));
    ran.add(-n);
    CHECK(collect(pool.imap_unordered(task, input)).size() == n);
}
ON_EVERY_ENGINE("imap: an input may wait for what the item does that it gave last", input_that_waits_for_its_items)

template <class P>
void chunks_that_take_long() {
    SharedPage page;
    const Gate slow{page};
    P pool{1};
    constexpr std::size_t cheap = 20000;
    constexpr int few = 40;
    auto range = pool.imap(snapshot([slow](int i) {
                               if (slow.is_set()) { std::this_thread::sleep_for(2ms); }
                               return i;
                           }),
                           std::views::iota(0));
    for (std::size_t i = 0; i < cheap; ++i) { REQUIRE(range.next()->has_value()); }
    const std::uint64_t before = pool.stats().submitted;
    slow.set();
    std::size_t at = cheap;
    // After the loop, the chunks sent before have ended, and chunks of slow items after each of them.
    for (int chunks = 0; chunks < few; ++chunks) {
        const std::uint64_t seen = pool.stats().submitted;
        while (pool.stats().submitted == seen) { CHECK(**range.next() == static_cast<int>(at++)); }
    }
    CHECK(pool.stats().submitted >= before + few);
    CHECK(at < cheap + 8192 + 10 * few);
}
ON_ENGINES_WITH_WORKERS("imap: a chunk whose items turn out to be slow is cut short", chunks_that_take_long)

template <class P>
void default_window() {
    SharedPage page;
    const Counter ran{page};
    P pool{2};
    std::size_t read = 0;
    std::size_t taken = 0;
    auto range = pool.imap(same, Endless{read});
    for (const int x : range) {
        REQUIRE(x == static_cast<int>(taken));
        ++taken;
        REQUIRE(read <= taken + 16 * pool.size());
        if (taken == 5000) { break; }
    }
    auto counted = pool.imap(snapshot([ran](int) {
                                 ran.add();
                                 return 0;
                             }),
                             std::views::iota(0));
    for (std::int64_t i = 1; i <= 20000; ++i) {
        REQUIRE(counted.next()->has_value());
        REQUIRE(ran.value() <= i + 4096);
    }
}
ON_EVERY_ENGINE("imap reads an endless input a bounded way ahead also where items are cheap", default_window)

TEST_CASE("API-16 imap starts at once as far as its window and what is dropped is not run") {
    SharedPage page;
    const Counter ran{page};
    Pool pool{1};
    {
        auto range = pool.imap(MapOptions{.window = 10}, snapshot([ran](int i) {
                                   ran.add();
                                   return i;
                               }),
                               first_numbers(100));
        ran.wait_for(10);
        std::this_thread::sleep_for(20ms);
        CHECK(ran.value() == 10);
    }
    pool.close();
    pool.join();
    CHECK(ran.value() == 10);
}

TEST_CASE("abandoned ranges leave no memory behind", "[slow]") {
    Pool pool{2};
    long before = 0;
    const int rounds = static_cast<int>(times(1000));
    for (int round = 0; round < rounds; ++round) {
        auto range = pool.imap([](int) { return std::string(500000, 'x'); }, first_numbers(10));
        CHECK((*range.next())->size() == 500000);
        CHECK((*range.next())->size() == 500000);
        if (round == rounds / 4) { before = kilobytes_in("/proc/self/status", "RssShmem"); }
    }
    CHECK(kilobytes_in("/proc/self/status", "RssShmem") < before + 50000);
}

template <class P>
void outlives_its_pool() {
    std::optional<ResultRange<int>> range;
    std::optional<ResultRange<int>> unread;
    {
        P pool{2};
        range.emplace(pool.imap(MapOptions{.window = 3}, square, first_numbers(10)));
        unread.emplace(pool.imap(square, first_numbers(10)));
    }
    for (int i = 0; i < 3; ++i) { CHECK(**range->next() == i * i); }
    CHECK_THROWS_AS(range->next()->value(), PoolClosed);
    CHECK_FALSE(range->next().has_value());
    unread.reset();
}
ON_EVERY_ENGINE("a range outlives its pool", outlives_its_pool)

template <class P>
void range_of_a_closed_pool() {
    P pool{2};
    auto range = pool.imap(MapOptions{.window = 2}, square, first_numbers(50));
    auto dropped = std::optional{pool.imap_unordered(MapOptions{.window = 2}, square, first_numbers(50))};
    CHECK(**range.next() == 0);
    pool.close();
    CHECK_THROWS_AS(pool.apply(square, 1), PoolClosed);
    CHECK_THROWS_AS(pool.imap(square, first_numbers(1)), PoolClosed);
    dropped.reset();
    for (int i = 1; i < 50; ++i) { CHECK(**range.next() == i * i); }
    CHECK_FALSE(range.next().has_value());
    pool.join();
}
ON_EVERY_ENGINE("API-08 a range goes on when its pool is closed - to the end", range_of_a_closed_pool)

template <class P>
void range_of_a_joined_pool() {
    P pool{2};
    auto range = pool.imap(MapOptions{.window = 3}, square, first_numbers(10));
    CHECK(**range.next() == 0);
    pool.close();
    CHECK(**range.next() == 1);
    pool.join();
    int next = 2;
    std::optional<Outcome<int>> result = range.next();
    for (; result && result->has_value(); result = range.next()) {
        CHECK(**result == next * next);
        ++next;
    }
    CHECK(next >= 3);  // items that had been read
    CHECK(next < 10);
    REQUIRE(result.has_value());
    CHECK_THROWS_AS(result->value(), PoolClosed);
}
ON_EVERY_ENGINE("who joins a pool in the middle of a range gets what that had read", range_of_a_joined_pool)

TEST_CASE("what is left of a chunk that was cut short is run after close()") {
    Pool pool{{.workers = 1, .max_tasks_per_worker = 3}};
    auto range = pool.imap(MapOptions{.chunk_size = 10, .window = 20}, square, first_numbers(20));
    pool.close();
    for (int i = 0; i < 20; ++i) { CHECK(**range.next() == i * i); }
    CHECK_FALSE(range.next().has_value());
}

TEST_CASE("a pool whose range is dropped after close() lets its workers go") {
    Pool pool{2};
    {
        auto range = pool.imap(MapOptions{.window = 2}, square, first_numbers(50));
        CHECK(**range.next() == 0);
        pool.close();
    }
    wait_until([&] { return pool.workers().empty(); }, "the workers have left");
}

template <class P>
void among_others() {
    P pool{{.workers = 2, .queue_capacity = 1}};
    int sum = 0;
    for (const int x : pool.imap(MapOptions{.window = 4}, square, first_numbers(20))) {
        sum += pool.apply(square, x) - x * x;
        for (const int y : pool.imap(square, first_numbers(5))) { sum += y; }
        sum += pool.map(square, first_numbers(5)).back();
    }
    CHECK(sum == 20 * (30 + 16));
}
ON_EVERY_ENGINE("results that nobody has taken keep nobody from submitting with room for one task only", among_others)

template <class P>
void refused() {
    P pool{2};
    for (const std::size_t n : {0, 1}) {
        CHECK_THROWS_AS(pool.imap(MapOptions{.timeout = -1s}, square, first_numbers(n)), std::invalid_argument);
        CHECK_THROWS_AS(pool.imap_unordered(MapOptions{.priority = 4}, square, first_numbers(n)),
                        std::invalid_argument);
    }
    CHECK(pool.stats().submitted == 0);
    pool.close();
    CHECK_THROWS_AS(pool.imap(square, first_numbers(0)), PoolClosed);
    CHECK_THROWS_AS(pool.imap_unordered(square, first_numbers(1)), PoolClosed);
}
ON_EVERY_ENGINE("API-06 bad options and closed pools are refused by the call not by the first result", refused)

TEST_CASE("imap refuses captured references at once") {
    Pool pool{2};
    int local = 1;
    const auto add = [&local](int i) { return i + local; };
    for (const std::size_t n : {0, 3}) {
        CHECK_THROWS_AS(pool.imap(add, first_numbers(n)), CodecError);
        CHECK_THROWS_AS(
            pool.imap_unordered([&local](int i, int j) { return i + j + local; }, first_numbers(n), first_numbers(3)),
            CodecError);
    }
    CHECK(pool.stats().submitted == 0);
}

TEST_CASE("a child that was forked with a range only destroys it") {
    Pool pool{2};
    auto range = std::make_unique<ResultRange<int>>(pool.imap(square, first_numbers(100)));
    CHECK(**range->next() == 0);
    Subprocess child{[&] { range.reset(); }};
    CHECK(exited_with(child.wait(), 0));
    CHECK(**range->next() == 1);
}

}  // namespace

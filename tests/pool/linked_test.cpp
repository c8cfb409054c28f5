// SPDX-License-Identifier: BSL-1.0
#include "pool/linked.hpp"

#include <procpool/future/shared_future.hpp>
#include <procpool/future/when_all.hpp>

#include <atomic>
#include <future>
#include <list>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

// Futures as arguments: what the function gets.

namespace {

using namespace procpool_test;

struct Adder {
    int base = 0;
    [[nodiscard]] int add(int n) const { return base + n; }
};

template <class P>
void linked_arguments() {
    P pool{2};
    auto first = pool.apply_async(same, 1);
    auto second = pool.apply_async(one_more, std::move(first));
    STATIC_REQUIRE(std::is_same_v<decltype(second), Future<int>>);
    CHECK_FALSE(first.valid());  // NOLINT(bugprone-use-after-move)
    CHECK_FALSE(first.ready());
    CHECK(get_soon(second) == 2);

    const auto join = [](const std::string& a, int b, const std::vector<int>& c, std::string&& d, double e) {
        return a + std::to_string(b) + std::to_string(c.at(1)) + d + std::to_string(static_cast<int>(e));
    };
    const std::string text = "t";
    CHECK(get_soon(pool.apply_async(join, text, pool.apply_async(same, 2), std::vector{3, 4},
                                    pool.apply_async(spell, 3), 5.0)) == "t24xxx5");
    CHECK(get_soon(pool.apply_async(join, pool.apply_async(spell, 1), 2, pool.apply_async([] {
              return std::vector{7, 8};
          }),
                                    std::string("y"), pool.apply_async([](double d) { return d; }, 6.0))) == "x28y6");
    // Conversions; members; callables with values; results that can only be moved; a stop_token besides.
    CHECK(get_soon(pool.apply_async([](long n) { return n * 2; }, pool.apply_async(same, 21))) == 42);
    CHECK(get_soon(pool.apply_async(&Adder::add, pool.apply_async([] { return Adder{4}; }),
                                    pool.apply_async(same, 5))) == 9);
    const int captured = 30;
    CHECK(get_soon(pool.apply_async([captured](int n) { return captured + n; }, pool.apply_async(same, 3))) == 33);
    CHECK(get_soon(pool.apply_async(bind_front(sum_of_two, 40), pool.apply_async(same, 2))) == 42);
    CHECK(*get_soon(pool.apply_async(
              [](std::unique_ptr<int> n) {
                  ++*n;
                  return n;
              },
              pool.apply_async([] { return std::make_unique<int>(6); }))) == 7);
    CHECK(get_soon(pool.apply_async([](const std::stop_token& stop, int n) { return stop.stop_requested() ? -1 : n; },
                                    pool.apply_async(same, 8))) == 8);
    CHECK(pool.apply(sum_of_two, pool.apply_async(same, 1), pool.apply_async(same, 2)) == 3);
    CHECK(pool.apply(TaskOptions{.label = "sum"}, sum_of_two, 4, pool.apply_async(same, 2)) == 6);
    get_soon(pool.apply_async([](int) {}, pool.apply_async(same, 1)));
}
ON_EVERY_ENGINE("futures are arguments of tasks among values", linked_arguments)

template <class P>
void linked_shared() {
    SharedPage page;
    const Counter ran{page};
    P pool{2};
    const SharedFuture<std::string> text = pool.apply_async(
                                                   [](Counter count) {
                                                       count.add();
                                                       return std::string(1000, 'z');
                                                   },
                                                   ran)
                                               .share();
    const auto both = [](const std::string& a, const std::string& b) { return a.size() + b.size(); };
    auto twice = pool.apply_async(both, text, text);
    std::vector<Future<std::size_t>> sizes;
    for (int n = 0; n < 40; ++n) {
        sizes.push_back(
            pool.apply_async([](const std::string& s, int m) { return s.size() + static_cast<unsigned>(m); }, text, n));
    }
    CHECK(get_soon(twice) == 2000);
    for (std::size_t n = 0; n < sizes.size(); ++n) { CHECK(get_soon(sizes[n]) == 1000 + n); }
    CHECK(text.get() == std::string(1000, 'z'));
    // Read already; copies and temporaries.
    CHECK(get_soon(pool.apply_async(both, text, SharedFuture<std::string>{text})) == 2000);
    CHECK(text.valid());
    CHECK(ran.value() == 1);
    // What a function gets is its own.
    CHECK(get_soon(pool.apply_async(
              [](std::string mine) {
                  mine += "!";
                  return mine;
              },
              text)) == std::string(1000, 'z') + "!");
    CHECK(text.get().size() == 1000);
    SharedFuture<int> dropped = pool.apply_async(same, 5).share();
    auto last = pool.apply_async(one_more, dropped);
    dropped = {};
    CHECK(get_soon(last) == 6);
}
ON_EVERY_ENGINE("a shared future is an argument of many tasks and twice of one", linked_shared)

template <class P>
void linked_order() {
    SharedPage page;
    const Counter step{page};
    const Counter early{page};
    P pool{3};
    const auto adds = [](Counter at) { at.add(); };
    for (int round = 0; round < 50; ++round) {
        const std::int64_t before = step.value();
        std::vector<Future<void>> firsts;
        for (int n = 0; n < 3; ++n) { firsts.push_back(pool.apply_async(adds, step)); }
        auto middle = pool.apply_async(
            [](Counter at, Counter wrong, std::int64_t expected) {
                if (at.value() != expected) { wrong.add(); }
                at.add();
                return 1;
            },
            step, early, when_all(firsts), before + 3);
        const SharedFuture<void> done = pool.apply_async([](int) {}, std::move(middle)).share();
        auto last = pool.apply_async([](Counter at, std::int64_t expected) { return at.value() == expected; }, done,
                                     step, done, before + 4);
        CHECK(get_soon(last));
    }
    CHECK(early.value() == 0);
    get_soon(pool.apply_async([] {}, pool.apply_async([] {})));
    CHECK(pool.apply([] { return 5; }, pool.apply_async([] {}), when_all(std::vector<Future<void>>{})) == 5);
}
ON_EVERY_ENGINE("a future of void orders and gives no parameter", linked_order)

template <class P>
void linked_when_all() {
    P pool{2};
    const auto merge = [](const std::tuple<int, std::monostate, std::string>& all, int n) {
        return std::get<2>(all) + std::to_string(std::get<0>(all) + n);
    };
    CHECK(get_soon(pool.apply_async(
              merge, when_all(pool.apply_async(same, 1), pool.apply_async([] {}), pool.apply_async(spell, 2)), 3)) ==
          "xx4");
    auto all_of_ten = when_all(numbered(pool, 10));
    auto sum = pool.apply_async(sum_of_many, std::move(all_of_ten));
    CHECK_FALSE(all_of_ten.valid());  // NOLINT(bugprone-use-after-move)
    CHECK_FALSE(all_of_ten.ready());
    CHECK_THROWS_AS(all_of_ten.get(), std::future_error);
    CHECK(get_soon(sum) == 45);
    CHECK(get_soon(pool.apply_async(sum_of_many, when_all(std::vector<Future<int>>{}))) == 0);
    CHECK(get_soon(pool.apply_async([](const std::tuple<>&) { return 3; }, when_all())) == 3);
    // Nested; two in one call; bits and what can only be moved.
    const auto nested = [](const std::tuple<std::vector<int>, std::tuple<int, std::string>>& all,
                           const std::vector<int>& more) {
        return sum_of_many(std::get<0>(all)) + std::get<0>(std::get<1>(all)) + sum_of_many(more);
    };
    CHECK(get_soon(pool.apply_async(
              nested,
              when_all(when_all(numbered(pool, 4)), when_all(pool.apply_async(same, 100), pool.apply_async(spell, 1))),
              when_all(numbered(pool, 5)))) == 116);
    std::vector<Future<std::vector<int>>> rows;
    for (int n = 0; n < 5; ++n) { rows.push_back(when_all(numbered(pool, n))); }
    CHECK(get_soon(pool.apply_async(
              [](const std::vector<std::vector<int>>& all) {
                  long sum = 0;
                  for (const auto& row : all) { sum += sum_of_many(row) + static_cast<long>(row.size()); }
                  return sum;
              },
              when_all(rows))) == 20);
    std::list<Future<bool>> bits;
    for (const bool bit : {true, false, true}) {
        bits.push_back(pool.apply_async([](bool b) { return b; }, bit));
    }
    CHECK(get_soon(
        pool.apply_async([](const std::vector<bool>& all) { return all[0] && !all[1] && all[2]; }, when_all(bits))));
    std::vector<Future<std::unique_ptr<int>>> moved;
    for (int n = 0; n < 3; ++n) {
        moved.push_back(pool.apply_async([](int m) { return std::make_unique<int>(m); }, n));
    }
    CHECK(get_soon(pool.apply_async([](const std::vector<std::unique_ptr<int>>& all) { return *all.at(2); },
                                    when_all(moved))) == 2);
    // Asked before it is an argument; shared.
    auto asked = when_all(numbered(pool, 4));
    static_cast<void>(asked.ready());
    CHECK(get_soon(pool.apply_async(sum_of_many, std::move(asked))) == 6);
    auto read = when_all(numbered(pool, 4));
    read.wait();
    CHECK(get_soon(pool.apply_async(sum_of_many, std::move(read))) == 6);
    const SharedFuture<std::vector<int>> shared = when_all(numbered(pool, 5)).share();
    auto first = pool.apply_async(sum_of_many, shared);
    auto second =
        pool.apply_async([](const std::vector<int>& a, const std::vector<int>& b) { return a == b; }, shared, shared);
    CHECK(get_soon(first) == 10);
    CHECK(get_soon(second));
    CHECK(shared.get().size() == 5);
    CHECK(get_soon(pool.apply_async(sum_of_many, shared)) == 10);
}
ON_EVERY_ENGINE("what when_all() returns is an argument", linked_when_all)

template <class P>
void linked_many() {
    SharedPage page;
    P pool{2};
    for (const int count : {1, 29, 30, 31, 32, 61, 62, 63, 93, 94, 500}) {
        const Gate open{page};
        std::vector<Future<int>> futures;
        if (has_workers<P>) { futures.push_back(pool.apply_async(after_gate, open, 0)); }
        while (futures.size() < static_cast<std::size_t>(count)) { futures.push_back(pool.apply_async(same, 1)); }
        auto sum = pool.apply_async(sum_of_many, when_all(futures));
        if (has_workers<P>) {
            CHECK_FALSE(sum.ready());
            open.set();
        }
        CHECK(get_soon(sum) == count - (has_workers<P> ? 1 : 0));
    }
    // Of one task, which each of the bits stands for.
    const SharedFuture<int> two = pool.apply_async(same, 2).share();
    const auto all = [](int a, int b, int c, int d, int e, int f, int g, int h) {
        return a + b + c + d + e + f + g + h;
    };
    CHECK(get_soon(pool.apply_async(all, two, two, two, two, two, two, two, two)) == 16);
}
ON_EVERY_ENGINE("a task waits for any number of others", linked_many)

int fetch(int page) { return page * 10; }
int parse(int content) { return content + 1; }
int merge_two(int a, int b) { return a * 100 + b; }

template <class P>
void linked_apps() {
    SharedPage page;
    const Counter ran{page};
    P pool{2};
    auto fetches = pool.app(fetch);
    auto parses = pool.app(parse, TaskOptions{.retries = 2, .label = "parse"});
    const auto merges = pool.app(merge_two);
    STATIC_REQUIRE(std::is_same_v<decltype(merges(1, 2)), Future<int>>);
    CHECK(get_soon(merges(parses(fetches(1)), parses(fetches(2)))) == 1121);
    const SharedFuture<int> root = fetches(3).share();
    auto tree = merges(merges(parses(root), parses(root)), parses(parses(root)));
    CHECK(get_soon(tree) == (31 * 100 + 31) * 100 + 32);
    auto total = pool.app(sum_of_many);
    std::vector<Future<int>> pages;
    for (int n = 0; n < 20; ++n) { pages.push_back(parses(fetches(n))); }
    CHECK(get_soon(total(when_all(std::move(pages)))) == 1920);
    auto counts = pool.app([](Counter count) { return static_cast<int>(count.add()); });
    CHECK(get_soon(parses(counts(ran))) == 2);
    CHECK_THROWS_WITH(get_soon(merges(pool.app(fail)(7), fetches(1))), "7");
}
ON_EVERY_ENGINE("calls of apps make a graph", linked_apps)

template <class P>
void linked_times() {
    SharedPage page;
    P pool{2};
    // Before it is registered.
    auto done = pool.apply_async(same, 1);
    done.wait();
    CHECK(get_soon(pool.apply_async(one_more, std::move(done))) == 2);
    const SharedFuture<int> shared = pool.apply_async(same, 3).share();
    shared.wait();
    CHECK(get_soon(pool.apply_async(sum_of_two, shared, shared)) == 6);
    // Meanwhile.
    int right = 0;
    const int rounds = static_cast<int>(times(3000));
    for (int round = 0; round < rounds; ++round) {
        auto a = pool.apply_async(same, round);
        auto b = pool.apply_async(same, 1);
        for (int i = 0; i < round % 50; ++i) { detail::relax(); }
        right += get_soon(pool.apply_async(sum_of_two, std::move(a), std::move(b))) == round + 1 ? 1 : 0;
    }
    CHECK(right == rounds);
    // After it.
    if constexpr (has_workers<P>) {
        const Gate open{page};
        auto held = pool.apply_async(after_gate, open, 5);
        auto waiting = pool.apply_async(sum_of_two, std::move(held), pool.apply_async(same, 2));
        auto more = pool.apply_async(one_more, std::move(waiting));
        CHECK(pool.apply(same, 6) == 6);  // no worker waits
        CHECK_FALSE(more.running());
        CHECK_FALSE(more.ready());
        CHECK(more.wait_for(1ms) == std::future_status::timeout);
        open.set();
        CHECK(get_soon(more) == 8);
    }
}
ON_EVERY_ENGINE("a result that is an argument is there before or while or after its task is submitted", linked_times)

template <class P>
void linked_wide_use() {
    P pool{2};
    // A counter in each, so that a task that runs too early or with another's argument gives a wrong sum.
    std::vector<Future<long>> level;
    const auto width = static_cast<long>(times(1024));
    for (long n = 0; n < width; ++n) {
        level.push_back(pool.apply_async([](long m) { return m; }, n));
    }
    while (level.size() > 1) {
        std::vector<Future<long>> next;
        for (std::size_t i = 0; i + 1 < level.size(); i += 2) {
            next.push_back(
                pool.apply_async([](long a, long b) { return a + b; }, std::move(level[i]), std::move(level[i + 1])));
        }
        if (level.size() % 2 == 1) { next.push_back(std::move(level.back())); }
        level = std::move(next);
    }
    CHECK(get_soon(level.front()) == width * (width - 1) / 2);
    const SharedFuture<int> root = pool.apply_async(same, 1).share();
    std::vector<Future<int>> leaves;
    for (std::size_t n = 0; n < times(2000); ++n) { leaves.push_back(pool.apply_async(one_more, root)); }
    CHECK(get_soon(pool.apply_async(sum_of_many, when_all(std::move(leaves)))) == 2 * static_cast<long>(times(2000)));
}
ON_EVERY_ENGINE("trees and fans of tasks give what they should", linked_wide_use)

template <class P>
void linked_capacity() {
    for (const std::size_t capacity : {1, 2, 64}) {
        P pool{PoolOptions{.workers = 2, .queue_capacity = capacity}};
        auto chain = pool.apply_async(same, 0);
        const int length = static_cast<int>(times(10'000));
        for (int n = 0; n < length; ++n) { chain = pool.apply_async(one_more, std::move(chain)); }
        CHECK(get_soon(chain) == length);
        std::vector<Future<int>> futures;
        for (int n = 0; n < 1000; ++n) { futures.push_back(pool.apply_async(same, n)); }
        CHECK(get_soon(pool.apply_async(sum_of_many, when_all(std::move(futures)))) == 499'500);
        // Errors and large results that have left their slots.
        std::vector<Future<std::string>> texts;
        for (int n = 0; n < 100; ++n) { texts.push_back(pool.apply_async(spell, 1000 + n)); }
        auto failed = pool.apply_async(fail, 7);
        for (int n = 0; n < 100; ++n) { texts.push_back(pool.apply_async(spell, 1)); }
        CHECK(get_soon(pool.apply_async(
                  [](const std::vector<std::string>& all) {
                      std::size_t size = 0;
                      for (const std::string& one : all) { size += one.size(); }
                      return size;
                  },
                  when_all(std::move(texts)))) == 100'000 + 4950 + 100);
        CHECK_THROWS_WITH(get_soon(pool.apply_async(one_more, std::move(failed))), "7");
        const SharedFuture<int> shared = pool.apply_async(same, 1).share();
        long sum = 0;
        for (int n = 0; n < 200; ++n) { sum += get_soon(pool.apply_async(sum_of_two, shared, n)); }
        CHECK(sum == 200 + 19'900);
    }
}
ON_EVERY_ENGINE("results leave their slots where there are few", linked_capacity)

}  // namespace

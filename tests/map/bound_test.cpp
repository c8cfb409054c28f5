// SPDX-License-Identifier: BSL-1.0
#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <procpool/codec/bind_front.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

using namespace procpool_test;

namespace {

/// A function object whose members travel.
struct Search {
    std::string needle;
    std::vector<int> weights;
    int operator()(int n) const { return weights.at(0) * n + static_cast<int>(needle.size()); }
};

/// One with private members that says how they travel.
class Closed {
public:
    Closed() = default;
    explicit Closed(std::string text) : text_(std::move(text)) {}
    int operator()(int n) const { return static_cast<int>(text_.size()) + n; }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(text_);
    }

private:
    std::string text_;
};

/// All calls give what the function gives here.
template <class P, class F>
void check_all_calls(P& pool, const F& f) {
    const std::vector<int> items = first_numbers(50);
    std::vector<int> expected;
    for (const int i : items) { expected.push_back(f(i)); }
    CHECK(pool.apply(f, 3) == f(3));
    CHECK(pool.apply(TaskOptions{.retries = 1}, f, 3) == f(3));
    CHECK(get_soon(pool.apply_async(f, 3)) == f(3));
    CHECK(get_soon(*pool.try_apply_async(f, 3)) == f(3));
    CHECK(pool.map(f, items) == expected);
    CHECK(get_soon(pool.map_async(f, items)) == expected);
    CHECK(pool.starmap(f, std::vector<std::tuple<int>>{{3}}) == std::vector{f(3)});
    CHECK(std::ranges::equal(pool.imap(f, items), expected));
    CHECK(std::ranges::equal(pool.map_outcomes(f, items), expected, {},
                             [](const auto& outcome) { return outcome.value(); }));
    pool.for_each(f, items);
    const auto plus = procpool::bind_front(
        [](const std::string& text, int a, int b) { return a + b + static_cast<int>(text.size()) - 1; }, "x");
    CHECK(pool.map_reduce(f, plus, 0, items) == std::accumulate(expected.begin(), expected.end(), 0));
    CHECK(pool.broadcast(f, 3) == std::vector<int>(pool.size(), f(3)));
}

template <class P>
void all_calls() {
    P pool{2};
    check_all_calls(pool, procpool::bind_front([](const std::vector<int>& weights, std::string_view text,
                                                  int n) { return weights.at(0) * n + static_cast<int>(text.size()); },
                                               std::vector{7, 8}, "text"));
    check_all_calls(pool, Search{"needle", {7, 8}});
    check_all_calls(pool, Closed{"text"});
}
ON_EVERY_ENGINE("bind_front - an aggregate and a class with serialize() are functions for all calls", all_calls)

template <class P>
void moved() {
    P pool{2};
    const auto takes = [](std::unique_ptr<int> p, int n) { return *p + n; };
    CHECK(pool.apply(procpool::bind_front(takes, std::make_unique<int>(40)), 2) == 42);
    CHECK(get_soon(pool.apply_async(procpool::bind_front(takes, std::make_unique<int>(40)), 2)) == 42);
    CHECK(pool.broadcast(procpool::bind_front(takes, std::make_unique<int>(40)), 2) ==
          std::vector<int>(pool.size(), 42));
    const auto looks = [](const std::unique_ptr<int>& p, int n) { return *p + n; };
    CHECK(pool.map(procpool::bind_front(looks, std::make_unique<int>(1)), first_numbers(3)) == std::vector{1, 2, 3});
    CHECK(get_soon(pool.map_async(procpool::bind_front(looks, std::make_unique<int>(1)), first_numbers(3))) ==
          std::vector{1, 2, 3});
    CHECK(std::ranges::equal(pool.imap(procpool::bind_front(looks, std::make_unique<int>(1)), first_numbers(3)),
                             std::vector{1, 2, 3}));
    const auto fold = [](const std::unique_ptr<int>& p, int a, int b) { return a + b + *p; };
    CHECK(pool.map_reduce(square, procpool::bind_front(fold, std::make_unique<int>(0)), 0, first_numbers(4)) == 14);
}
ON_EVERY_ENGINE("a bound value that cannot be copied moves into the call", moved)

}  // namespace

TEST_CASE("a bound SharedArray is the caller's memory") {
    Pool pool{2};
    SharedArray<int> array(4);
    pool.for_each(
        procpool::bind_front([](std::span<int> all, std::size_t i) { all[i] = static_cast<int>(i) + 1; }, array),
        std::vector<std::size_t>{0, 1, 2, 3});
    CHECK(std::ranges::equal(array, std::vector{1, 2, 3, 4}));
}

TEST_CASE("a task with a bound value is run again with the value it was given") {
    Pool pool{1};
    auto f = procpool::bind_front(
        [](std::unique_ptr<std::string> text, int) {
            if (this_task::attempt() == 0) { std::abort(); }
            return *text;
        },
        std::make_unique<std::string>("text"));
    CHECK(pool.apply(TaskOptions{.retries = 1}, std::move(f), 1) == "text");
}

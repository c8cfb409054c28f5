// SPDX-License-Identifier: BSL-1.0
#include <procpool/future/shared_future.hpp>
#include <procpool/future/wait.hpp>
#include <procpool/future/when_all.hpp>

#include "pool/engines.hpp"

#include <future>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

// Shared futures as parts of others.

namespace {

using namespace procpool_test;

template <class P>
[[nodiscard]] std::vector<SharedFuture<int>> several_shared(P& pool, std::initializer_list<int> numbers) {
    std::vector<SharedFuture<int>> futures;
    for (const int n : numbers) { futures.push_back(pool.apply_async(n < 0 ? fail : same, n).share()); }
    return futures;
}

int sum_of(const std::vector<int>& numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0); }

template <class P>
void all_of_shared() {
    P pool{2};
    const SharedFuture<std::string> text = pool.apply_async([] { return std::string("ab"); }).share();
    const SharedFuture<void> done = pool.apply_async([] {}).share();
    auto mixed = when_all(text, pool.apply_async(same, 3), done, text);
    STATIC_REQUIRE(std::is_same_v<decltype(mixed), Future<std::tuple<std::string, int, std::monostate, std::string>>>);
    CHECK(get_soon(mixed) == std::tuple{std::string("ab"), 3, std::monostate{}, std::string("ab")});
    CHECK(text.valid());
    CHECK(text.get() == "ab");
    const std::vector<SharedFuture<int>> numbers = several_shared(pool, {1, 2, 3});
    CHECK(get_soon(when_all(numbers)) == std::vector{1, 2, 3});
    CHECK(get_soon(when_all(numbers)) == std::vector{1, 2, 3});  // read already
    CHECK(numbers.at(2).get() == 3);
    const std::vector<SharedFuture<int>> failing = several_shared(pool, {1, -2, -3});
    CHECK_THROWS_WITH(get_soon(when_all(failing)), "-2");
    CHECK_THROWS_WITH(failing.at(2).get(), "-3");
    CHECK_THROWS_AS(when_all(text, SharedFuture<int>{}), std::future_error);
    auto ends = make_deferred<int>();
    const SharedFuture<int> promised = ends.future.share();
    auto waits = when_all(promised, text);
    CHECK_FALSE(waits.ready());
    ends.promise.set_value(4);
    CHECK(get_soon(waits) == std::tuple{4, std::string("ab")});
    CHECK(get_soon(when_all(promised, promised)) == std::tuple{4, 4});
    const SharedFuture<std::vector<int>> of_all = when_all(numbers).share();
    CHECK(get_soon(when_all(of_all, of_all)) == std::tuple{std::vector{1, 2, 3}, std::vector{1, 2, 3}});
}
ON_EVERY_ENGINE("when_all() of shared futures leaves them valid", all_of_shared)

template <class P>
void shared_parts_as_arguments() {
    P pool{2};
    const std::vector<SharedFuture<int>> numbers = several_shared(pool, {1, 2, 3});
    auto first = pool.apply_async(sum_of, when_all(numbers));
    auto second = pool.apply_async(sum_of, when_all(numbers));
    auto again = pool.apply_async(
        [](const std::tuple<int, std::vector<int>, int>& all) {
            return std::get<0>(all) + sum_of(std::get<1>(all)) + std::get<2>(all);
        },
        when_all(numbers[0], when_all(numbers), pool.apply_async(same, 10)));
    CHECK(get_soon(first) == 6);
    CHECK(get_soon(second) == 6);
    CHECK(get_soon(again) == 17);
    for (const SharedFuture<int>& one : numbers) { CHECK(one.valid()); }
    CHECK(numbers[1].get() == 2);
    CHECK(get_soon(pool.apply_async(sum_of, when_all(numbers))) == 6);
    const std::vector<SharedFuture<int>> failing = several_shared(pool, {1, -2});
    CHECK_THROWS_WITH(get_soon(pool.apply_async(sum_of, when_all(failing))), "-2");
    CHECK_THROWS_WITH(failing[1].get(), "-2");
    // Shared with what has parts of its own, and neither is used up.
    const SharedFuture<std::vector<int>> of_all = when_all(several_shared(pool, {4, 5})).share();
    auto left = pool.apply_async(sum_of, of_all);
    auto right = pool.apply_async(sum_of, of_all);
    CHECK(get_soon(left) + get_soon(right) == 18);
    CHECK(of_all.get() == std::vector{4, 5});
    const SharedFuture<std::vector<int>> of_own = when_all(std::vector<Future<int>>{}).share();
    CHECK(get_soon(pool.apply_async(sum_of, of_own)) == 0);
}
ON_EVERY_ENGINE("shared futures are parts of arguments as often as one likes", shared_parts_as_arguments)

template <class P>
void any_and_wait_of_shared() {
    P pool{2};
    const std::vector<SharedFuture<int>> numbers = several_shared(pool, {-1, 7, -2});
    const FirstOf<int> first = get_soon(when_any(numbers));
    CHECK(first.index == 1);
    CHECK(first.value == 7);
    CHECK(get_soon(when_any(numbers)).value == 7);
    CHECK(numbers[1].get() == 7);
    const std::vector<SharedFuture<int>> failing = several_shared(pool, {-1, -2});
    CHECK_THROWS_WITH(get_soon(when_any(failing)), "-1");
    CHECK_THROWS_AS(when_any(std::vector<SharedFuture<int>>{}), std::invalid_argument);
    CHECK_THROWS_AS(when_any(std::vector<SharedFuture<int>>(2)), std::future_error);
    const std::vector<SharedFuture<int>> more = several_shared(pool, {1, 2, 3});
    wait_all(more);
    for (const SharedFuture<int>& one : more) { CHECK(one.ready()); }
    static_cast<void>(more.front().get());
    wait_all(more);
}
ON_EVERY_ENGINE("when_any() and wait_all() take shared futures", any_and_wait_of_shared)

}  // namespace

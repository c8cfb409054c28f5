// SPDX-License-Identifier: BSL-1.0
#include "pool/linked.hpp"

#include <procpool/future/shared_future.hpp>
#include <procpool/future/when_all.hpp>

#include <sys/resource.h>
#include <future>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// Futures as arguments: calls that are refused leave them alone; what does not come to this process.

namespace {

using namespace procpool_test;
using procpool_test::linked::Sensitive;

template <class P>
void linked_try() {
    SharedPage page;
    const Gate open{page};
    P pool{PoolOptions{.workers = 1, .queue_capacity = 3}};
    auto holder = pool.apply_async(after_gate, open, 1);
    auto queued = pool.apply_async(same, 2);
    const SharedFuture<int> shared = pool.apply_async(same, 3).share();
    CHECK_FALSE(pool.try_apply_async(sum_of_two, std::move(queued), shared).has_value());
    CHECK(queued.valid());  // NOLINT(bugprone-use-after-move)
    CHECK(shared.valid());
    auto both = when_all(std::move(queued), std::move(holder));
    CHECK_FALSE(pool.try_apply_async([](const std::tuple<int, int>& all) { return std::get<0>(all); }, std::move(both))
                    .has_value());
    CHECK(both.valid());  // NOLINT(bugprone-use-after-move)
    open.set();
    shared.wait();
    auto submitted = pool.try_apply_async([](const std::tuple<int, int>& all, int n) { return std::get<0>(all) + n; },
                                          std::move(both), shared);
    REQUIRE(submitted.has_value());
    CHECK_FALSE(both.valid());
    CHECK(get_soon(*submitted) == 5);
    CHECK(get_soon(*pool.try_apply_async(TaskOptions{.label = "tried"}, one_more, shared)) == 4);
}
ON_ENGINES_WITH_WORKERS("try_apply_async() leaves the futures alone where there is no room", linked_try)

template <class P>
void linked_unencodable() {
    P pool{2};
    auto own = pool.apply_async(same, 1);
    const SharedFuture<int> shared = pool.apply_async(same, 2).share();
    const auto use = [](int a, int b, const Sensitive& text) { return text.text + std::to_string(a + b); };
    for (int round = 0; round < 3; ++round) {
        CHECK_THROWS_AS(pool.apply_async(use, std::move(own), shared, Sensitive{"a", true}), std::domain_error);
        CHECK(own.valid());  // NOLINT(bugprone-use-after-move)
        CHECK(shared.valid());
    }
    CHECK(get_soon(pool.apply_async(use, std::move(own), shared, Sensitive{"a"})) == "a3");
    auto all = when_all(numbered(pool, 3));
    CHECK_THROWS_AS(
        pool.apply_async([](const std::vector<int>&, const Sensitive&) {}, std::move(all), Sensitive{"a", true}),
        std::domain_error);
    CHECK(get_soon(all) == std::vector{0, 1, 2});  // NOLINT(bugprone-use-after-move)
    CHECK(pool.stats().submitted == pool.stats().completed);
}
ON_EVERY_ENGINE("an argument that cannot be encoded leaves the futures alone", linked_unencodable)

template <class P>
void linked_invalid() {
    P pool{2};
    CHECK_THROWS_AS(pool.apply_async(one_more, Future<int>{}), std::future_error);
    CHECK_THROWS_AS(pool.apply_async(one_more, SharedFuture<int>{}), std::future_error);
    CHECK_THROWS_AS(pool.try_apply_async(one_more, Future<int>{}), std::future_error);
    auto taken = pool.apply_async(same, 1);
    CHECK(taken.get() == 1);
    auto good = pool.apply_async(same, 2);
    const auto use = [](int a, int b) { return a + b; };
    CHECK_THROWS_AS(pool.apply_async(use, std::move(good), std::move(taken)), std::future_error);
    CHECK(good.valid());  // NOLINT(bugprone-use-after-move)
    CHECK(get_soon(good) == 2);
    auto consumed = pool.apply_async(same, 3);
    auto after = pool.apply_async(one_more, std::move(consumed));
    CHECK_THROWS_AS(pool.apply_async(one_more, std::move(consumed)), std::future_error);  // NOLINT
    CHECK(get_soon(after) == 4);
    CHECK(pool.stats().submitted == 4);
}
ON_EVERY_ENGINE("a future without a result to come is no argument", linked_invalid)

/// Ten megabytes, in the place of something of the user's.
Sensitive pass_on(Sensitive text) {
    text.text[0] = static_cast<char>(text.text[0] + 1);
    return text;
}

TEST_CASE("large results go from worker to worker and not through the parent") {
    Pool pool{2};
    const auto begin = [] { return Sensitive{std::string(10'000'000, 'a')}; };
    const auto end = [](const Sensitive& text, const std::vector<Sensitive>& more) {
        return static_cast<std::size_t>(text.text[0] - 'a') + text.text.size() + more.at(2).text.size();
    };
    pool.apply([](const Sensitive& text) { return text.text.size(); }, Sensitive{"warm"});
    Sensitive::decoded = 0;
    rusage before{};
    ::getrusage(RUSAGE_SELF, &before);
    auto chain = pool.apply_async(begin);
    for (int n = 0; n < 5; ++n) { chain = pool.apply_async(pass_on, std::move(chain)); }
    const SharedFuture<Sensitive> shared = pool.apply_async(begin).share();
    std::vector<Future<Sensitive>> fan;
    for (int n = 0; n < 3; ++n) { fan.push_back(pool.apply_async(pass_on, shared)); }
    CHECK(get_soon(pool.apply_async(end, std::move(chain), when_all(std::move(fan)))) == 20'000'005);
    rusage after{};
    ::getrusage(RUSAGE_SELF, &after);
    CHECK(Sensitive::decoded == 0);
    // One of the ten results has 2400 pages.
    if (!under_sanitizer) { CHECK(after.ru_minflt - before.ru_minflt < 1000); }
}

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include "pool/linked.hpp"

#include <procpool/future/shared_future.hpp>
#include <procpool/future/when_all.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// Futures as arguments: those of other pools, of calls over many, of promises.

namespace {

using namespace procpool_test;
using procpool_test::linked::Sensitive;

template <class P>
void linked_foreign() {
    P pool{2};
    ThreadPool threads{1};
    P other{1};
    CHECK(get_soon(pool.apply_async(one_more, threads.apply_async(same, 1))) == 2);
    CHECK(get_soon(pool.apply_async(sum_of_two, other.apply_async(same, 1), pool.apply_async(same, 2))) == 3);
    CHECK(get_soon(pool.apply_async(sum_of_many, pool.map_async(same, std::vector{3, 4}))) == 7);
    auto later = pool.apply_async(same, 5).then([](int n) { return n * 2; });
    auto after = pool.apply_async(one_more, std::move(later));
    CHECK_FALSE(later.valid());  // NOLINT(bugprone-use-after-move)
    CHECK(get_soon(after) == 11);
    auto watched = pool.apply_async(same, 5);
    std::atomic<int> called{0};
    watched.on_done([&] { ++called; });
    CHECK(get_soon(pool.apply_async(one_more, std::move(watched))) == 6);
    wait_until([&] { return called == 1; }, "the function of a future that is an argument");

    auto [promise, deferred] = make_deferred<int>();
    const SharedFuture<int> own = pool.apply_async(same, 100).share();
    auto mixed = pool.apply_async(
        [](const std::string& a, int b, int c, const std::vector<int>& d, int e) {
            return a + std::to_string(b + c + static_cast<int>(sum_of_many(d)) + e);
        },
        std::string("m"), own, std::move(deferred), when_all(numbered(other, 3)), threads.apply_async(same, 1000));
    CHECK_FALSE(mixed.ready());
    CHECK(mixed.valid());
    promise.set_value(20);
    CHECK(get_soon(mixed) == "m1123");
    get_soon(pool.apply_async([] {}, other.apply_async([] {}), pool.apply_async([] {})));
    CHECK(get_soon(pool.apply_async([](const std::unique_ptr<int>& n) { return *n; },
                                    threads.apply_async([] { return std::make_unique<int>(9); }))) == 9);
    // A shared one, also once it is read.
    auto ends = make_deferred<std::string>();
    const SharedFuture<std::string> shared = ends.future.share();
    const auto size = [](const std::string& a, const std::string& b) { return a.size() + b.size(); };
    auto early = pool.apply_async(size, shared, shared);
    ends.promise.set_value("four");
    CHECK(get_soon(early) == 8);
    CHECK(shared.get() == "four");
    CHECK(get_soon(pool.apply_async(size, shared, shared)) == 8);
    const SharedFuture<std::string> of_other = other.apply_async(spell, 4).share();
    CHECK(of_other.get() == "xxxx");
    CHECK(get_soon(pool.apply_async(size, of_other, std::string("yy"))) == 6);
    // A chain from pool to pool.
    auto chain = pool.apply_async(same, 0);
    for (int n = 0; n < 30; ++n) { chain = (n % 2 == 0 ? other : pool).apply_async(one_more, std::move(chain)); }
    CHECK(get_soon(chain) == 30);
}
ON_EVERY_ENGINE("futures of other pools and calls and promises are arguments", linked_foreign)

template <class P>
void linked_foreign_errors() {
    SharedPage page;
    const Counter ran{page};
    P pool{2};
    ThreadPool threads{1};
    const auto counts = [](Counter count, int n) {
        count.add();
        return n;
    };
    CHECK_THROWS_WITH(get_soon(pool.apply_async(counts, ran, threads.apply_async(fail, 3))), "3");
    auto failed = make_deferred<int>();
    auto waits = pool.apply_async(sum_of_two, pool.apply_async(same, 1), std::move(failed.future));
    failed.promise.set_exception(std::make_exception_ptr(std::domain_error("never")));
    CHECK_THROWS_AS(get_soon(waits), std::domain_error);
    // The first in the order of the arguments, and not of time.
    auto first = make_deferred<int>();
    auto second = make_deferred<int>();
    auto two = pool.apply_async(sum_of_two, std::move(first.future), std::move(second.future));
    second.promise.set_exception(std::make_exception_ptr(std::domain_error("second")));
    first.promise.set_exception(std::make_exception_ptr(std::domain_error("first")));
    CHECK_THROWS_WITH(get_soon(two), "first");
    {  // an argument that does not travel
        auto ends = make_deferred<int>();
        auto later = pool.apply_async([](int, const Sensitive&) {}, std::move(ends.future), Sensitive{"a", true});
        ends.promise.set_value(1);
        CHECK_THROWS_AS(get_soon(later), std::domain_error);
    }
    auto never = make_deferred<int>();
    const SharedFuture<int> shared = never.future.share();
    auto cancelled = pool.apply_async(counts, ran, shared);
    auto after = pool.apply_async(counts, ran, std::move(cancelled));
    CHECK(after.cancel());
    CHECK_THROWS_AS(get_soon(after), TaskCancelled);
    auto another = pool.apply_async(counts, ran, shared);
    CHECK(another.cancel());
    CHECK_FALSE(another.running());
    CHECK_THROWS_AS(get_soon(another), TaskCancelled);
    never.promise.set_value(1);
    CHECK(shared.get() == 1);
    auto broken = make_deferred<int>();
    auto of_broken = pool.apply_async(one_more, std::move(broken.future));
    broken.promise = Promise<int>{};
    CHECK_THROWS_AS(get_soon(of_broken), std::future_error);
    pool.close();
    pool.join();
    CHECK(ran.value() == 1);  // that which the cancelled one waited for
}
ON_EVERY_ENGINE("errors and cancelling of calls that wait in this process", linked_foreign_errors)

template <class P>
void linked_foreign_close() {
    auto [promise, deferred] = make_deferred<int>();
    P pool{2};
    auto waits = pool.apply_async(one_more, std::move(deferred));
    auto after = pool.apply_async(one_more, std::move(waits));
    pool.close();
    CHECK_THROWS_AS(pool.apply_async(same, 1), PoolClosed);
    promise.set_value(1);
    pool.join();
    CHECK(get_soon(after) == 3);
}
ON_EVERY_ENGINE("a closed pool runs what waits in this process for futures of others", linked_foreign_close)

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/ledger.hpp>

#include "map/journaled.hpp"
#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <cmath>
#include <csignal>
#include <exception>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

int fails_at_tens(int i) {
    Runs::add(i);
    if (i % 10 == 0) { throw std::range_error("item " + std::to_string(i)); }
    return i;
}

/// Returns: the error that the call ended with, if it is of that kind.
template <class Call>
std::optional<TooManyFailures> failures_of(Call call) {
    try {
        call();
    } catch (const TooManyFailures& e) { return e; }
    return std::nullopt;
}

template <class P>
void after_a_number() {
    Runs runs;
    P pool{2};
    const std::vector<int> items = first_numbers(10'000);
    const auto check = [&](const std::optional<TooManyFailures>& error) {
        REQUIRE(error);
        CHECK(error->failed() >= 5);
        CHECK(error->failed() < 100);
        CHECK(error->done() >= error->failed());
        CHECK(error->done() < 2000);
        const std::optional<std::size_t> first = item_of(error->first());
        REQUIRE(first);  // not 0 where the worker of the first chunk was slow to start
        CHECK(*first % 10 == 0);
        const std::string text = "item " + std::to_string(*first);
        CHECK_THROWS_WITH(std::rethrow_exception(error->first()), text);
        CHECK(error->what() == "procpool: " + std::to_string(error->failed()) + " of " + std::to_string(error->done()) +
                                   " items failed: " + text);
        CHECK(runs.take() < 4000);
    };
    const MapOptions options{.chunk_size = 10, .stop_after_failures = {5}};
    MapOptions to_the_end = options;
    to_the_end.on_error = OnError::wait_all;
    check(failures_of([&] { static_cast<void>(pool.map_outcomes(options, fails_at_tens, items)); }));
    check(failures_of([&] { static_cast<void>(pool.map(to_the_end, fails_at_tens, items)); }));
    check(failures_of([&] { pool.for_each(to_the_end, fails_at_tens, items); }));
    check(failures_of([&] { static_cast<void>(pool.map_async(to_the_end, fails_at_tens, items).get()); }));
    check(failures_of([&] {
        static_cast<void>(pool.map_reduce(
            to_the_end, fails_at_tens, [](int x, int y) { return x + y; }, 0, items));
    }));
}
ON_EVERY_ENGINE("stop_after_failures: a call gives up after so many", after_a_number)

template <class P>
void lazily() {
    Runs runs;
    P pool{2};
    std::size_t values = 0;
    std::size_t errors = 0;
    std::optional<TooManyFailures> last;
    auto outcomes =
        pool.imap_outcomes({.window = 40, .stop_after_failures = {5}}, fails_at_tens, first_numbers(10'000));
    while (auto next = outcomes.next()) {
        if (next->has_value()) {
            ((**next).value ? values : errors) += 1;
        } else {
            last = failures_of([&] { std::rethrow_exception(next->error()); });
        }
    }
    CHECK(outcomes.is_over());
    REQUIRE(last);
    CHECK(errors >= 5);
    CHECK(values < 200);
    CHECK(item_of(last->first()).value() % 10 == 0);
}
ON_EVERY_ENGINE("stop_after_failures: a lazy call gives what has ended and then the error", lazily)

TEST_CASE("stop_after_failures: fewer failures are as they are without it") {
    Runs runs;
    Pool pool{2};
    const std::vector<int> items = first_numbers(40);  // 4 fail
    const auto outcomes = pool.map_outcomes({.stop_after_failures = {5}}, fails_at_tens, items);
    CHECK(outcomes.size() == 40);
    CHECK_FALSE(outcomes[10]);
    CHECK_THROWS_AS(pool.map({.on_error = OnError::wait_all, .stop_after_failures = {5}}, fails_at_tens, items),
                    std::range_error);
    CHECK(runs.take() == 80);
}

TEST_CASE("stop_after_failures: a share counts when there are enough of them") {
    Runs runs;
    InlinePool pool{1};
    const std::vector<int> items = first_numbers(1000);
    const auto outcome = [&](FailureLimit limit) {
        return failures_of([&] {
            static_cast<void>(pool.map_outcomes({.chunk_size = 1, .stop_after_failures = limit}, fails_at_tens, items));
        });
    };
    CHECK_FALSE(outcome({.share = 0.2, .least = 4}));        // 1 of 1, 2 of 11 are too few to count, then it is 0.1
    const auto early = outcome({.share = 0.2, .least = 1});  // the first item
    REQUIRE(early);
    CHECK(early->failed() == 1);
    const auto later = outcome({.share = 0.05});
    REQUIRE(later);
    CHECK(later->failed() == 3);
    CHECK(later->done() == 21);
    static_cast<void>(runs.take());
}

TEST_CASE("stop_after_failures: deaths and timeouts count and items that run are let finish") {
    Runs runs;
    SharedPage page;
    static Word* waits = nullptr;
    static Word* finished = nullptr;
    waits = page.word();
    finished = page.word();
    Pool pool{2};
    const auto dies = [](int i) {
        Runs::add(i);
        if (i == 0) {  // runs until the others have failed
            waits->store(1);
            wait_until([] { return Runs::of(3) != 0; }, "the others");
            ::usleep(20'000);  // so that the call has most likely given up
            finished->store(1);
            return 0;
        }
        wait_until([] { return waits->load() != 0; }, "the item that waits");
        ::raise(SIGKILL);
        return i;
    };
    const auto error = failures_of([&] {
        static_cast<void>(pool.map_outcomes({.chunk_size = 1, .stop_after_failures = {3}}, dies, first_numbers(1000)));
    });
    REQUIRE(error);
    CHECK(error->failed() >= 3);
    CHECK(error->failed() < 20);
    CHECK(error->done() == error->failed() + 1);
    CHECK_THROWS_AS(std::rethrow_exception(error->first()), WorkerDied);
    CHECK(finished->load() == 1);
    CHECK(runs.take() == error->done());
}

TEST_CASE("stop_after_failures: with a journal the call goes on where it gave up") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    const std::vector<int> items = first_numbers(100);
    const MapOptions options{.chunk_size = 10, .stop_after_failures = {4}, .journal = folder.file()};
    const auto call = [&] {
        return failures_of([&] { static_cast<void>(pool.map_outcomes(options, fails_at_tens, items)); });
    };
    CHECK(call()->failed() == 4);
    CHECK(runs.take() == 40);
    CHECK(call()->failed() == 4);  // the same four
    CHECK(runs.items() == std::vector{0, 10, 20, 30});
}

TEST_CASE("stop_after_failures: where the first failure ends the call it is refused") {
    Pool pool{1};
    const std::vector<int> items = first_numbers(10);
    CHECK_THROWS_AS(pool.map({.stop_after_failures = {5}}, fails_at_tens, items), std::invalid_argument);
    CHECK_THROWS_AS(pool.for_each_async({.stop_after_failures = {.share = 0.5}}, fails_at_tens, items),
                    std::invalid_argument);
    for (const double share : {-0.1, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
        CHECK_THROWS_AS(pool.map_outcomes({.stop_after_failures = {.share = share}}, fails_at_tens, items),
                        std::invalid_argument);
    }
}

TEST_CASE("stop_after_failures: the error comes back from a task with all it holds") {
    Pool pool{1};
    const auto thrown = [](int) -> int {
        throw TooManyFailures(7, 20, std::make_exception_ptr(std::range_error("the first")));
    };
    const auto error = failures_of([&] { pool.apply(thrown, 1); });
    REQUIRE(error);
    CHECK(error->failed() == 7);
    CHECK(error->done() == 20);
    CHECK_THROWS_WITH(std::rethrow_exception(error->first()), "the first");
    CHECK(std::string(error->what()) == "procpool: 7 of 20 items failed: the first");
}

}  // namespace

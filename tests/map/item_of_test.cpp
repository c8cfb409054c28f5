// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/exception_details.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <csignal>
#include <functional>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <typeinfo>
#include <utility>
#include <vector>

#include <malloc.h>

using namespace procpool_test;

namespace {

using Item = std::optional<std::size_t>;

struct Registered : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct Unregistered : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Returns: the item of the E, and of no other type, that f throws. The test fails if it throws none.
template <class E, class F>
Item item_thrown_by(F f) {
    try {
        f();
    } catch (const std::exception& e) {
        CHECK(typeid(e) == typeid(E));
        return item_of(e);
    }
    FAIL("nothing was thrown");
    return {};
}

constexpr std::size_t bad = 321;
constexpr int many = 1000;

int fails_at_bad(int i) {
    if (i == static_cast<int>(bad)) { throw std::range_error("bad"); }
    return i;
}

template <class P>
void each_call_tells() {
    P pool{2};
    const std::vector<int> items = first_numbers(many);
    for (const std::size_t chunk : {std::size_t{0}, std::size_t{1}, std::size_t{64}}) {
        CAPTURE(chunk);
        const MapOptions options{.chunk_size = chunk};
        const auto tell = [&](auto call) { CHECK(item_thrown_by<std::range_error>(call) == bad); };
        tell([&] { pool.map(options, fails_at_bad, items); });
        tell([&] {
            pool.map(
                options, [](int i) { return std::to_string(fails_at_bad(i)); }, Generator{many});
        });
        tell([&] {
            pool.starmap(options, fails_at_bad, items | std::views::transform([](int i) { return std::tuple{i}; }));
        });
        tell([&] { pool.for_each(options, fails_at_bad, items); });
        tell([&] {
            std::vector<int> results(items.size());
            pool.map_into(options, fails_at_bad, items, results);
        });
        tell([&] { pool.map_reduce(options, fails_at_bad, std::plus<>{}, 0, items); });
        tell([&] { get_soon(pool.map_async(options, fails_at_bad, items)); });

        const auto outcomes = pool.map_outcomes(options, fails_at_bad, items);
        tell([&] { outcomes[bad].value(); });
        CHECK(item_of(outcomes[bad].error()) == bad);

        std::size_t index = 0;
        auto ordered = pool.imap(options, fails_at_bad, items);
        for (auto it = ordered.begin(); it != ordered.end(); ++it, ++index) {
            if (index == bad) {
                tell([&] { static_cast<void>(*it); });
            }
        }
        auto unordered = pool.imap_unordered(options, fails_at_bad, items);
        int failed = 0;
        while (auto outcome = unordered.next()) {
            if (!*outcome) {
                ++failed;
                tell([&] { outcome->value(); });
            }
        }
        CHECK(failed == 1);
    }
    SharedArray<int> array(many);
    CHECK(item_thrown_by<std::range_error>([&] {
              pool.for_each(
                  MapOptions{.chunk_size = 100},
                  [first = array.data()](int& x) { x = fails_at_bad(static_cast<int>(&x - first)); }, array);
          }) == bad);
}
ON_EVERY_ENGINE("item_of() tells the item of an exception of every call over many items", each_call_tells)

TEST_CASE("item_of() tells the item of any type of exception") {
    register_exception<Registered>();
    Pool pool{2};
    const auto thrown_at_2 = [&](auto thrower) { return [&pool, thrower] { pool.map(thrower, first_numbers(4)); }; };
    CHECK(item_thrown_by<Registered>(thrown_at_2([](int i) { return i == 2 ? throw Registered("r") : i; })) == 2);
    CHECK(item_thrown_by<RemoteError>(thrown_at_2([](int i) { return i == 2 ? throw Unregistered("u") : i; })) == 2);
    CHECK(item_thrown_by<RemoteError>(thrown_at_2([](int i) { return i == 2 ? throw "text" : i; })) == 2);
    CHECK(item_thrown_by<WorkerDied>(thrown_at_2([](int i) { return i == 2 ? ::raise(SIGKILL) : i; })) == 2);
    CHECK(item_thrown_by<TaskTimedOut>([&] {
              pool.map(
                  MapOptions{.timeout = 50ms},
                  [](int i) {
                      if (i == 2) { std::this_thread::sleep_for(60s); }
                      return i;
                  },
                  first_numbers(4));
          }) == 2);
}

TEST_CASE("item_of() tells the item at which the input has failed") {
    Pool pool{2};
    CHECK(item_thrown_by<std::domain_error>([&] { pool.map(same, Generator{100, 41}); }) == 41);
    auto results = pool.imap(same, Generator{100, 41});
    Item item;
    while (auto outcome = results.next()) {
        if (!*outcome) { item = item_of(outcome->error()); }
    }
    CHECK(item == 41);
}

TEST_CASE("exceptions of no item have none") {
    Pool pool{1};
    CHECK_FALSE(item_thrown_by<std::out_of_range>([&] { pool.apply(fail, 3); }));
    CHECK_FALSE(item_thrown_by<std::out_of_range>([&] { pool.apply_async(fail, 3).get(); }));
    CHECK_FALSE(item_thrown_by<WorkerDied>([&] { pool.apply([] { ::raise(SIGKILL); }); }));
    CHECK_FALSE(item_thrown_by<std::invalid_argument>([&] {
        pool.map_reduce(
            same, [](int, int) -> int { throw std::invalid_argument("folding"); }, 0, std::vector<int>{1});
    }));
}

TEST_CASE("with wait_all the lowest item that failed is told") {
    Pool pool{2};
    CHECK(item_thrown_by<std::out_of_range>([&] {
              pool.map(
                  MapOptions{.on_error = OnError::wait_all}, [](int i) { return i < 10 ? i : fail(i); },
                  first_numbers(100));
          }) == 10);
}

TEST_CASE("items that end by one event have an exception each") {
    std::vector<Outcome<int>> outcomes;
    SharedPage page;
    const Counter started{page};
    Pool pool{1};
    std::thread caller([&] {
        outcomes = pool.map_outcomes(MapOptions{.chunk_size = 5}, snapshot([=](int i) {
                                         started.add();
                                         std::this_thread::sleep_for(60s);
                                         return i;
                                     }),
                                     first_numbers(10));
    });
    started.wait_for(1);
    wait_until([&] { return pool.stats().submitted == 2; }, "both chunks");
    pool.kill();
    caller.join();
    REQUIRE(outcomes.size() == 10);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        CHECK(item_thrown_by<PoolTerminated>([&] { outcomes[i].value(); }) == i);
    }
}

TEST_CASE("an item is told when its pool is gone - in another thread - and by no copy") {
    std::exception_ptr kept;
    {
        Pool pool{1};
        try {
            pool.map(fail, std::vector<int>{0});
        } catch (const std::out_of_range& e) {
            kept = std::current_exception();
            const std::out_of_range copy = e;
            CHECK_FALSE(item_of(copy));
            CHECK(item_thrown_by<std::out_of_range>([] { throw; }) == 0);
            CHECK(item_of(e) == 0);
        }
    }
    std::thread([last = std::exchange(kept, nullptr)] {
        CHECK(item_thrown_by<std::out_of_range>([&] { std::rethrow_exception(last); }) == 0);
    }).join();
}

TEST_CASE("an error of a pool within a worker tells its item there - and the outer one here") {
    Pool pool{1};
    try {
        pool.map(
            [](int i) {
                Pool inner{1};
                inner.map([](int j) { return j == 5 ? ::raise(SIGKILL) : j; }, first_numbers(6));
                return i;
            },
            std::vector<int>{0});
        FAIL("nothing was thrown");
    } catch (const WorkerDied& death) {
        CHECK(death.item() == 5);
        CHECK(item_of(death) == 0);
    }
}

TEST_CASE("100 000 items that fail leave nothing") {
    Pool pool{1};
    const auto fail_often = [&] {
        std::size_t right = 0;
        const auto outcomes = pool.map_outcomes([](int i) -> int { throw std::range_error(std::to_string(i)); },
                                                first_numbers(times(100'000)));
        for (std::size_t i = 0; i < outcomes.size(); ++i) { right += item_of(outcomes[i].error()) == i ? 1U : 0U; }
        CHECK(right == times(100'000));
    };
    fail_often();
    const std::size_t before = ::mallinfo2().uordblks;
    fail_often();
    if (!under_sanitizer) { CHECK(::mallinfo2().uordblks < before + times(100'000) * 8); }
}

}  // namespace

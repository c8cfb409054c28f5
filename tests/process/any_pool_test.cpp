// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/map.hpp>
#include <procpool/map/map_async.hpp>

#include "map/ranges.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool;
using namespace procpool_test;

namespace {

/// The variable for one test.
class Environment {
public:
    explicit Environment(const char* value) {
        value != nullptr ? ::setenv("PROCPOOL_ENGINE", value, 1) : ::unsetenv("PROCPOOL_ENGINE");
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() { ::unsetenv("PROCPOOL_ENGINE"); }
};

int pid_here(int) { return ::getpid(); }

TEST_CASE("AnyPool is what PROCPOOL_ENGINE says") {
    const char* const name = GENERATE(as<const char*>{}, nullptr, "", "fork", "thread", "inline");
    INFO("PROCPOOL_ENGINE=" << (name != nullptr ? name : "(not set)"));
    const std::string engine = name != nullptr && *name != '\0' ? name : "fork";
    const Environment environment{name};
    AnyPool pool{3};
    CHECK(pool.size() == (engine == "inline" ? 1 : 3));
    CHECK(pool.workers().size() == pool.size());
    CHECK((pool.apply(pid_here, 0) == ::getpid()) == (engine != "fork"));
    CHECK(pool.map(square, first_numbers(100))[99] == 99 * 99);
    CHECK(pool.map_async(square, first_numbers(100)).get()[99] == 99 * 99);
    int captured = 5;
    const auto by_reference = [&captured] { return ++captured; };
    if (engine == "fork") {
        CHECK_THROWS_AS(pool.apply(by_reference), CodecError);
    } else {
        CHECK(pool.apply(by_reference) == 6);
        std::vector<int> numbers = first_numbers(10);
        pool.for_each([](int& x) { x *= 2; }, numbers);
        CHECK(numbers[9] == 18);
    }
    pool.refork();
    CHECK(pool.apply(square, 4) == 16);
    pool.join();
    const PoolStats stats = pool.stats();
    CHECK(stats.workers_started == pool.size() * (engine == "fork" ? 2 : 1));
    CHECK(stats.failed == 0);
    CHECK_THROWS_AS(pool.apply(square, 1), PoolClosed);
}

TEST_CASE("AnyPool: two of different kinds side by side") {
    const Environment environment{"thread"};
    AnyPool threads{1};
    ::setenv("PROCPOOL_ENGINE", "fork", 1);
    AnyPool processes{1};
    CHECK(threads.apply(pid_here, 0) == ::getpid());
    CHECK(processes.apply(pid_here, 0) != ::getpid());
}

TEST_CASE("AnyPool: what PROCPOOL_ENGINE cannot mean") {
    const Environment environment{"threads"};
    CHECK_THROWS_AS(AnyPool{}, std::invalid_argument);
    CHECK_THROWS_WITH(
        AnyPool{},
        "procpool: the environment variable PROCPOOL_ENGINE is 'threads'; it must be inline, thread or fork");
}

}  // namespace

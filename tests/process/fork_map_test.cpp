// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/fork_map.hpp>

#include "map/ranges.hpp"
#include "pool/subprocess.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <chrono>
#include <forward_list>
#include <functional>
#include <memory>
#include <ranges>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

const PoolOptions three_workers{.workers = 3};

/// One type for all tests of errors, so that the call is compiled once.
using Function = std::function<int(int)>;
std::vector<int> run(const Function& f, const MapOptions& options = {}, int n = 100) {
    return fork_map(three_workers, options, f, std::views::iota(0, n));
}

TEST_CASE("fork_map: f sees the caller's memory by reference and only results travel") {
    const std::vector<std::string> table(200'000, "big");
    int calls = 0;
    const Function f = [&](int i) {
        ++calls;  // in the worker's copy
        return static_cast<int>(table[static_cast<std::size_t>(i)].size()) + (::getpid() != ::getppid() ? i : 0);
    };
    const std::vector<int> results = fork_map(f, std::views::iota(0, 1000));
    for (int i = 0; i < 1000; ++i) { REQUIRE(results[static_cast<std::size_t>(i)] == i + 3); }
    CHECK(calls == 0);
    CHECK(fork_map(f, std::vector<int>{}).empty());
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE(
    "fork_map: callables that can only be moved - items that cannot travel - ranges that can be read once - zipped") {
    struct Item {
        std::unique_ptr<int> value;
        std::string& name;
    };
    std::string name = "n";
    std::forward_list<Item> items;
    for (int i = 0; i < 4; ++i) { items.push_front({std::make_unique<int>(i), name}); }
    const auto results = fork_map(
        three_workers,
        [held = std::make_unique<int>(10)](Item& item, int single, char from_view) {
            item.name = from_view;  // of the worker's copy
            return item.name + std::to_string(*item.value + *held + single);
        },
        items, Generator{100}, std::views::iota('a'));
    CHECK(results == std::vector<std::string>{"a13", "b13", "c13", "d13"});
    CHECK(name == "n");
    CHECK_THROWS_AS(fork_map(square, Generator{100, 50}), std::domain_error);
}

TEST_CASE("fork_map: f that returns nothing - takes a stop_token - returns a reference into the table") {
    SharedPage page;
    const Counter sum{page};
    std::vector<int> numbers = first_numbers(10);
    fork_map([&](int& i) { sum.add(i); }, numbers);
    CHECK(sum.value() == 45);
    const std::vector<std::string> names{"a", "b"};
    const auto lookup = [&](const std::stop_token& stop, int i) -> const std::string& {
        if (stop.stop_requested()) { throw std::logic_error("nobody asked"); }
        return names[static_cast<std::size_t>(i)];
    };
    CHECK(fork_map(lookup, std::vector<int>{1, 0, 1}) == std::vector<std::string>{"b", "a", "b"});
}

TEST_CASE("fork_map: errors/deaths/timeouts and retries are those of map") {
    SharedPage page;
    const Counter attempts{page};
    CHECK_THROWS_AS(run([](int i) -> int { throw std::out_of_range(std::to_string(i)); }), std::out_of_range);
    try {
        run(
            [](int i) {
                if (i == 41 || i == 77) { ::raise(SIGKILL); }
                return i;
            },
            {.on_error = OnError::wait_all, .label = "mine"});
        FAIL("nothing was thrown");
    } catch (const WorkerDied& died) {
        CHECK(died.exit_status() == ExitStatus::from_signal(SIGKILL));
        CHECK(died.label() == "mine");
        CHECK(died.item() == 41);
    }
    const std::vector<int> retried = run(
        [&](int i) {
            if (i == 41 && attempts.add() == 1) { ::raise(SIGSEGV); }
            return i;
        },
        {.retries = 1});
    CHECK(retried == first_numbers(100));
    CHECK(attempts.value() == 2);
    const auto start = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(run([](int) { return static_cast<int>(::sleep(1000)); }, {.timeout = 50ms}, 3), TaskTimedOut);
    CHECK(std::chrono::steady_clock::now() - start < 5s);
    CHECK_THROWS_AS(run(square, {.priority = 9}, 0), std::invalid_argument);
    CHECK_THROWS_AS(fork_map({.queue_capacity = 0}, square, std::vector<int>{}), std::invalid_argument);
}

TEST_CASE("fork_map: in a task where closures on the stack are the task's") {
    Pool pool{2};
    const auto nested = [](int base) {
        const std::vector<int> table(100, base);
        int sum = 0;
        for (const int x : run([&](int i) { return table[static_cast<std::size_t>(i)] + i; })) { sum += x; }
        return sum;
    };
    auto first = pool.apply_async(nested, 1);
    auto second = pool.apply_async(nested, 2);
    CHECK(first.get() == 100 + 4950);
    CHECK(second.get() == 200 + 4950);
}

TEST_CASE("fork_map: the pool's options hold") {
    SharedPage page;
    const Counter started{page};
    const Counter ended{page};
    const std::vector<int> results =
        fork_map({.workers = 2, .initializer = [&] { started.add(); }, .finalizer = [&] { ended.add(); }}, square,
                 first_numbers(50));
    CHECK(results[49] == 49 * 49);
    CHECK(started.value() == 2);
    CHECK(ended.value() == 2);
}

}  // namespace

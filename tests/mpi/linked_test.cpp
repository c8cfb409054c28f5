// SPDX-License-Identifier: BSL-1.0
#include "mpi/machines.hpp"

#include <csignal>
#include <string>
#include <tuple>
#include <vector>

#include <unistd.h>

using namespace machines;

namespace {

int plus_one(int n) { return n + 1; }
int plus(int a, int b) { return a + b; }

}  // namespace

TEST_CASE("MPI-100 results go to tasks on other machines that depend on them") {
    MpiPool pool{remote(2)};
    auto text = pool.apply_async([](int n) { return std::string(static_cast<std::size_t>(n), 'x'); }, 3).share();
    auto size = pool.apply_async([](const std::string& t) { return t.size(); }, text);
    auto longer = pool.apply_async([](const std::string& t, int n) { return t + std::to_string(n); }, text, 7);
    auto both = pool.apply_async(
        [](const std::tuple<std::size_t, std::string>& parts) {
            return std::get<1>(parts) + "/" + std::to_string(std::get<0>(parts));
        },
        when_all(std::move(size), std::move(longer)));
    CHECK(both.get() == "xxx7/3");
    CHECK(text.get() == "xxx");
    auto chain = pool.apply_async(plus_one, 0);
    for (int i = 0; i < 300; ++i) { chain = pool.apply_async(plus_one, std::move(chain)); }
    CHECK(chain.get() == 301);
}

TEST_CASE("MPI-101 results go from machine to machine") {
    MpiPool pool{2};
    std::vector<Future<int>> level;
    for (int i = 0; i < 64; ++i) { level.push_back(pool.apply_async(plus_one, i)); }
    while (level.size() > 1) {
        std::vector<Future<int>> next;
        for (std::size_t i = 0; i < level.size(); i += 2) {
            next.push_back(pool.apply_async(plus, std::move(level[i]), std::move(level[i + 1])));
        }
        level = std::move(next);
    }
    CHECK(level.front().get() == 64 * 65 / 2);
    auto large = pool.apply_async([] { return std::vector<double>(std::size_t{1} << 20, 0.5); });
    CHECK(pool.apply([](const std::vector<double>& all) { return all.size(); }, std::move(large)) == 1 << 20);
}

TEST_CASE("MPI-102 errors of tasks on other machines pass to those that depend on them") {
    MpiPool pool{remote(2)};
    auto thrown = pool.apply_async([](int) -> int { throw std::out_of_range("the first"); }, 0);
    auto between = pool.apply_async(plus_one, std::move(thrown));
    auto last = pool.apply_async(plus, 1, std::move(between));
    CHECK_THROWS_WITH(last.get(), "the first");
    auto killed = pool.apply_async(
        TaskOptions{.label = "the killer"}, [](int n) { return ::raise(SIGKILL), n; }, 0);
    auto after = pool.apply_async(plus_one, std::move(killed));
    try {
        after.get();
        FAIL("a task ran whose dependency has no result");
    } catch (const WorkerDied& died) {
        CHECK(died.label() == "the killer");
        CHECK(died.exit_status().signal() == SIGKILL);
    }
    // What has left its slot, and what is of another pool.
    auto [promise, promised] = make_deferred<int>();
    auto later = pool.apply_async(plus_one, std::move(promised));
    promise.set_value(4);
    CHECK(later.get() == 5);
}

// SPDX-License-Identifier: BSL-1.0
#include "mpi/machines.hpp"

#include <csignal>

#include <unistd.h>

using namespace machines;

namespace {

/// Returns: the number of processes that a process has started and that are still there.
int children_of(pid_t pid) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const pid_t child = std::atoi(entry.path().filename().c_str());
        if (child > 0 && std::filesystem::exists(entry.path() / "stat")) { count += parent_of(child) == pid ? 1 : 0; }
    }
    return count;
}

}  // namespace

TEST_CASE("MPI-15 without its companion the pool goes on with the workers of this machine") {
    MpiPool pool{1};
    auto far = pool.apply_on_async(1, [] { ::pause(); });
    while (!far.running()) { std::this_thread::yield(); }
    const pid_t other = companion();
    REQUIRE(other != 0);
    REQUIRE(::kill(other, SIGKILL) == 0);
    CHECK_THROWS_AS(far.get(), NodeLost);
    for (int i = 0; i < 100; ++i) {
        CHECK(pool.apply([](int n) { return n; }, i) == i);
    }
    CHECK_THROWS_AS(pool.apply_on(1, [] {}), NodeLost);
}

TEST_CASE("MPI-71 a pool that has neither workers nor a companion is broken") {
    PoolOptions options = remote(1);
    options.max_tasks_per_worker = 10;
    MpiPool pool{options};
    auto far = pool.apply_async([] { ::pause(); });
    while (!far.running()) { std::this_thread::yield(); }
    CHECK(children_of(parent_of(companion())) == 1);
    REQUIRE(::kill(companion(), SIGKILL) == 0);
    CHECK_THROWS_AS(far.get(), Error);
    CHECK_THROWS_AS(pool.apply([] {}), PoolBroken);
}

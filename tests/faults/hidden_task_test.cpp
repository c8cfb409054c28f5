// SPDX-License-Identifier: BSL-1.0
#include "faults/saboteur.hpp"

using namespace procpool_test;

namespace {

void hide_a_task(int signal) {
    Saboteur saboteur;
    Muster muster;
    SharedPage page;
    const Gate open{page};
    const Gate begun{page};
    Pool pool{2};
    auto block = pool.apply_async(
        [](Gate started, Gate gate) {
            started.set();
            gate.wait();
        },
        begun, open);
    begun.wait();
    // The other worker has found the level empty when a task is put there, which it then marks as empty.
    saboteur.hold_at(detail::FaultPoint::level_empty);
    saboteur.arm(detail::FaultPoint::level_cleared, 1, signal);
    pool.apply(TaskOptions{.priority = 2}, [] {});
    saboteur.wait_until_held();
    auto hidden = pool.apply_async(TaskOptions{.priority = 2}, [] { return 42; });
    saboteur.release();
    const pid_t victim = saboteur.wait_for_victim();
    open.set();
    CHECK(get_soon(hidden, recovery) == 42);
    get_soon(block, recovery);
    ::kill(victim, SIGKILL);
    wait_until_gone(victim, recovery);
    require_whole(pool, muster);
}

TEST_CASE("a worker that is killed when it has marked a priority as empty hides no task") { hide_a_task(SIGKILL); }
TEST_CASE("a worker that is stopped when it has marked a priority as empty hides no task") { hide_a_task(SIGSTOP); }

TEST_CASE("a task whose worker dies when it has been counted - before it is done - is counted once") {
    Saboteur saboteur;
    Pool pool{1};
    for (const bool throws : {false, true}) {
        saboteur.arm(detail::FaultPoint::before_done, 1, SIGKILL);
        CHECK_THROWS_AS(get_soon(pool.apply_async([](bool bad) { return bad ? throw 1 : 2; }, throws)), WorkerDied);
        saboteur.disarm();
        CHECK(get_soon(pool.apply_async([] { return 3; })) == 3);
    }
    const PoolStats stats = pool.stats();
    CHECK(stats.submitted == 4);
    CHECK(stats.completed == 2);
    CHECK(stats.failed == 2);
}

}  // namespace

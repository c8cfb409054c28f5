// SPDX-License-Identifier: BSL-1.0
#include "faults/saboteur.hpp"

#include <csignal>
#include <thread>
#include <vector>

using namespace procpool_test;

namespace {

/// A worker ends, or is stopped, between its task's end and the notification of a thread that waits for many tasks.
void hide_an_end(detail::FaultPoint point, int signal) {
    Saboteur saboteur;
    Muster muster;
    SharedPage page;
    const Gate open{page};
    const Gate never{page};
    Pool pool{3};
    const auto wait_for = [](Gate gate) { gate.wait(); };
    std::vector<Future<void>> futures;
    futures.push_back(pool.apply_async(wait_for, open));
    futures.push_back(pool.apply_async(wait_for, never));
    Future<void> called = pool.apply_async(wait_for, open);
    int calls = 0;
    called.on_done([&] { ++calls; });
    std::size_t found = 7;
    std::thread waiter{[&] { found = wait_any(futures); }};
    // Only a task that a thread waits for among others is marked.
    const auto waited_for = [&] {
        std::size_t count = 0;
        for (const detail::task::Slot& slot : board_of(pool).all_slots()) {
            count += detail::task::Word{slot.word.load()}.waited() ? 1U : 0U;
        }
        return count;
    };
    wait_until([&] { return waited_for() == 3; }, "the two that wait", recovery);
    saboteur.arm(point, 1, signal);
    open.set();
    const pid_t victim = saboteur.wait_for_victim();
    waiter.join();
    CHECK(found == 0);
    CHECK(called.wait_for(recovery) == std::future_status::ready);
    CHECK(calls == 1);
    never.set();
    CHECK(futures[1].wait_for(recovery) == std::future_status::ready);
    ::kill(victim, SIGKILL);
    wait_until_gone(victim, recovery);
    futures.clear();
    called = {};
    require_whole(pool, muster);
}

TEST_CASE("a worker that is killed before it marks its task hides no end") {
    hide_an_end(detail::FaultPoint::after_done, SIGKILL);
}
TEST_CASE("a worker that is stopped before it marks its task hides no end") {
    hide_an_end(detail::FaultPoint::after_done, SIGSTOP);
}
TEST_CASE("a worker that is killed when it has marked its task hides no end") {
    hide_an_end(detail::FaultPoint::marked, SIGKILL);
}
TEST_CASE("a worker that is stopped when it has marked its task hides no end") {
    hide_an_end(detail::FaultPoint::marked, SIGSTOP);
}

}  // namespace

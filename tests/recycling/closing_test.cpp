// SPDX-License-Identifier: BSL-1.0
#include "faults/whole.hpp"

#include <csignal>

#include <unistd.h>

using namespace procpool_test;

namespace {

TEST_CASE("a closed pool whose spare worker dies over its last task runs that task again") {
    SharedPage page;
    const Gate begun{page};
    const Gate open{page};
    const Counter second{page};
    Pool pool{PoolOptions{.workers = 1, .max_tasks_per_worker = 5}};
    auto block = pool.apply_async(
        [](Gate started, Gate gate) {
            started.set();
            gate.wait();
        },
        begun, open);
    begun.wait();
    auto again = pool.apply_async(
        TaskOptions{.retries = 1},
        [](Counter runs_in) {
            if (this_task::attempt() == 0) {
                runs_in.add(::getpid());
                std::this_thread::sleep_for(100s);
            }
            return this_task::attempt();
        },
        second);
    pool.close();  // the spare worker joins in
    second.wait_for(1, recovery);
    open.set();
    get_soon(block, recovery);
    // The first worker's death is settled, and the supervisor, which saw nothing left to do for another, sleeps again.
    wait_until([&] { return board_of(pool).control.deaths.load() == 1; }, "the first worker's end", recovery);
    std::this_thread::sleep_for(100ms);
    ::kill(static_cast<pid_t>(second.value()), SIGKILL);
    CHECK(get_soon(again, recovery) == 1);
    CHECK(pool.join_for(recovery));
}

}  // namespace

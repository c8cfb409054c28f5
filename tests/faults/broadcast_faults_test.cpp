// SPDX-License-Identifier: BSL-1.0
#include "faults/saboteur.hpp"

#include <cstddef>
#include <vector>

using namespace procpool_test;

namespace {

std::size_t index_here() { return this_worker::index(); }

/// Whether a worker that is killed there takes the broadcast's task with it.
struct BroadcastRow {
    detail::FaultPoint point;
    bool casualty;
};

TEST_CASE("a worker is killed at every point of a broadcast", "[slow]") {
    const std::vector<std::size_t> all{0, 1, 2};
    for (const auto& [point, casualty] :
         {BroadcastRow{detail::FaultPoint::after_claim, true}, BroadcastRow{detail::FaultPoint::before_run, true},
          BroadcastRow{detail::FaultPoint::before_done, true}, BroadcastRow{detail::FaultPoint::after_done, false},
          BroadcastRow{detail::FaultPoint::asleep, false}}) {
        for (const int nth : {1, 2, 3}) {
            for (const bool closes : {false, true}) {
                CAPTURE(name_of(point), nth, closes);
                Saboteur saboteur;
                Muster muster;
                Pool pool{3};
                CHECK(pool.broadcast(index_here) == all);
                saboteur.arm(point, nth, SIGKILL);
                bool died = false;
                try {
                    const bool right = pool.broadcast(index_here) == all;  // CHECK would catch what it throws
                    CHECK(right);
                } catch (const WorkerDied&) { died = true; }
                if (closes) {
                    pool.close();  // tasks left in the dead worker's mail must not keep the pool open
                    CHECK(pool.join_for(recovery));
                    saboteur.disarm();
                    CHECK((died == casualty || saboteur.victim() == 0));
                    continue;
                }
                saboteur.wait_for_victim();
                CHECK(died == casualty);
                CHECK(pool.broadcast(index_here) == all);
                require_whole(pool, muster);
            }
        }
    }
}

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include "faults/saboteur.hpp"

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <vector>

using namespace procpool_test;

namespace {

std::size_t index_here() { return this_worker::index(); }

/// Whether a worker that is killed there takes a task with it.
struct MailRow {
    detail::FaultPoint point;
    bool casualty;
};

TEST_CASE("a worker is killed at every point of tasks for it", "[slow]") {
    for (const auto& [point, casualty] :
         {MailRow{detail::FaultPoint::after_claim, true}, MailRow{detail::FaultPoint::before_run, true},
          MailRow{detail::FaultPoint::before_done, true}, MailRow{detail::FaultPoint::after_done, false},
          MailRow{detail::FaultPoint::mail_empty, false}, MailRow{detail::FaultPoint::mail_cleared, false},
          MailRow{detail::FaultPoint::asleep, false}}) {
        for (const int nth : {1, 2, 5}) {
            for (const unsigned retries : {0U, 1U}) {
                CAPTURE(name_of(point), nth, retries);
                Saboteur saboteur;
                Muster muster;
                Pool pool{2};
                CHECK(pool.apply_on(1, index_here) == 1);
                saboteur.arm(point, nth, SIGKILL);
                std::size_t died = 0;
                while (saboteur.victim() == 0) {
                    std::vector<Future<std::size_t>> futures;
                    for (int i = 0; i < 6; ++i) {
                        futures.push_back(pool.apply_on_async({.retries = retries}, 1, index_here));
                    }
                    for (Future<std::size_t>& future : futures) {
                        try {
                            const bool right = get_soon(future) == 1;  // CHECK would catch what it throws
                            CHECK(right);
                        } catch (const WorkerDied&) { ++died; }
                    }
                }
                saboteur.wait_for_victim();
                CHECK(died == (casualty && retries == 0 ? 1 : 0));
                CHECK(pool.apply_on(1, index_here) == 1);
                require_whole(pool, muster);
            }
        }
    }
}

TEST_CASE("a worker dies when it has cleared the mark of its mail: its replacement finds what came meanwhile") {
    SharedPage page;
    const Counter ran{page};
    Saboteur saboteur;
    Muster muster;
    Pool pool{2};
    saboteur.hold_at(detail::FaultPoint::mail_empty);
    saboteur.arm(detail::FaultPoint::mail_cleared, 1, SIGKILL);
    CHECK(pool.apply_on(0, index_here) == 0);
    saboteur.wait_until_held();
    Future<std::int64_t> late = pool.apply_on_async(0, snapshot([ran] { return ran.add(); }));  // its mark is cleared
    saboteur.release();
    saboteur.wait_for_victim();
    ran.wait_for(1, recovery);  // and not by get(), which would mend it in the end
    CHECK(get_soon(late) == 1);
    require_whole(pool, muster);
}

}  // namespace

// SPDX-License-Identifier: BSL-1.0
// One process stands between a look and a change while another one does the same. Waits have no time limit, so that a
// lost wake-up is a hang.
#include <procpool/shm/shared.hpp>
#include <procpool/sync/bounded_semaphore.hpp>
#include <procpool/sync/latch.hpp>
#include <procpool/sync/permits.hpp>

#include "deaths/fatal_point.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "sync/crowd.hpp"

#include <optional>

using namespace procpool;
using namespace procpool_test;

namespace {

/// Adds to the crowd a child that runs f() and is held at the point.
class Held {
public:
    template <class F>
    Held(Crowd& crowd, FaultPoint point, F f)
        : pid_(crowd.add([&, f] {
              hold_at(point, arrived_, may_go_on_);
              f();
              return 0;
          })) {}
    void wait() const { arrived_.wait(); }
    void let_go() const { may_go_on_.set(); }
    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    SharedPage page_;
    Gate arrived_{page_};
    Gate may_go_on_{page_};
    pid_t pid_;
};

/// Adds to the crowd a child that runs f(), and waits until it sleeps or has ended. It exits with 0 when f() throws
/// std::logic_error.
template <class F>
pid_t add_refused(Crowd& crowd, F f) {
    const pid_t pid = crowd.add([&] { return refused(f); });
    const auto has_ended = [=] {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
    };
    wait_until([&] { return is_asleep_on_futex(pid) || has_ended(); }, "one that sleeps or has ended");
    return pid;
}

}  // namespace

TEST_CASE("whoever counts a latch down too often is told - also while another one opens it for sleepers") {
    for (const std::ptrdiff_t count : {1, 2, 3}) {
        CAPTURE(count);
        const Shared<Latch> latch{count};
        Crowd crowd;
        crowd.add_asleep(1, [&] {
            latch->wait();
            return 0;
        });
        const Held opener{crowd, FaultPoint::before_change, [&] { latch->count_down(count); }};
        opener.wait();
        const pid_t late = add_refused(crowd, [&] { latch->count_down(1); });
        CHECK_FALSE(latch->try_wait());
        opener.let_go();
        CHECK(crowd.wait_for(late) == 0);
        CHECK(crowd.count_good() == 2);
        CHECK(latch->try_wait());
    }
}

TEST_CASE("a bounded semaphore is released by one at a time - also for sleepers") {
    const Shared<BoundedSemaphore> semaphore{1};
    semaphore->acquire();
    Crowd crowd;
    const Held sleeper{crowd, FaultPoint::sleeper_woken, [&] { semaphore->acquire(); }};
    wait_for_sleep(sleeper.pid());
    const Held releaser{crowd, FaultPoint::before_change, [&] { semaphore->release(); }};
    releaser.wait();
    const pid_t late = add_refused(crowd, [&] { semaphore->release(); });
    releaser.let_go();
    CHECK(crowd.wait_for(late) == 0);
    sleeper.wait();
    CHECK(semaphore->was_value() == 1);
    sleeper.let_go();
    CHECK(crowd.count_good() == 2);
    CHECK(semaphore->was_value() == 0);
}

TEST_CASE("a permit that comes back just before one goes to sleep is seen") {
    const Shared<Permits> permits{1};
    std::optional<Permits::Permit> mine = permits->acquire();
    Crowd crowd;
    const Held waiter{crowd, FaultPoint::permits_taken, [&] { const Permits::Permit permit = permits->acquire(); }};
    waiter.wait();
    mine.reset();
    waiter.let_go();
    CHECK(crowd.count_good() == 1);
    CHECK(permits->was_free() == 1);
}

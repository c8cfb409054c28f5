// SPDX-License-Identifier: BSL-1.0
// Processes are killed at each step of what they wait by, while others sleep or are about to. Waits have no time limit,
// so that a lost wake-up is a hang.
#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/shm/shared.hpp>
#include <procpool/sync/barrier.hpp>
#include <procpool/sync/bounded_semaphore.hpp>
#include <procpool/sync/event.hpp>
#include <procpool/sync/latch.hpp>
#include <procpool/sync/permits.hpp>
#include <procpool/sync/semaphore.hpp>

#include "support/catch.hpp"
#include "sync/crowd.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#ifndef PROCPOOL_FAULT_POINTS
#error "tests of this folder need the fault points"
#endif

using namespace procpool;
using namespace procpool_test;
using detail::FaultPoint;

namespace {

constexpr int killed = 128 + SIGKILL;
FaultPoint deadly_point = FaultPoint::none;
FaultPoint holding_point = FaultPoint::none;
std::atomic<int>* held = nullptr;

/// Runs the function in this child, which is killed when it comes by the point.
template <class Function>
int dying_at(FaultPoint point, Function function) {
    deadly_point = point;
    detail::fault_hook = [](FaultPoint here) {
        if (here == deadly_point) { ::kill(::getpid(), SIGKILL); }
    };
    function();
    return 0;
}

/// Runs the function in this child, which says at the point that it is there, and stays until `held` is 0 again.
template <class Function>
int held_at(FaultPoint point, Function function) {
    holding_point = point;
    detail::fault_hook = [](FaultPoint here) {
        if (here != holding_point || held->load() != 0) { return; }
        held->store(1);
        while (held->load() == 1) { ::usleep(50); }
    };
    function();
    return 0;
}

/// Adds to the crowd a child that sleeps in `wait`, or that is just about to sleep and goes on after release().
class Other {
public:
    template <class Wait>
    Other(Crowd& crowd, bool sleeps_already, Wait wait) {
        held = word_.get();
        if (sleeps_already) {
            wait_until_asleep(crowd.add([wait] {
                wait();
                return 0;
            }));
        } else {
            crowd.add([wait] { return held_at(FaultPoint::sleeper_marked, wait); });
            wait_until([] { return held->load() == 1; }, "one that is about to sleep");
        }
    }
    void release() const { held->store(2); }

private:
    Shared<std::atomic<int>> word_{0};
};

}  // namespace

TEST_CASE("a setter is killed before its one step: another set() releases all") {
    for (const bool asleep : {true, false}) {
        CAPTURE(asleep);
        const Shared<Event> event;
        Crowd crowd;
        const Other other{crowd, asleep, [&] { event->wait(); }};
        CHECK(crowd.wait_for(crowd.add([&] { return dying_at(FaultPoint::before_change, [&] { event->set(); }); })) ==
              killed);
        CHECK_FALSE(event->is_set());
        event->set();
        event->clear();
        other.release();
        CHECK(crowd.count_good() == 1);
    }
}

TEST_CASE("a sleeper is killed at each of its steps: set() releases the other") {
    for (const FaultPoint point : {FaultPoint::sleeper_marked, FaultPoint::sleeper_woken}) {
        for (const bool asleep : {true, false}) {
            CAPTURE(static_cast<int>(point), asleep);
            const Shared<Event> event;
            const Shared<Latch> latch{1};
            Crowd crowd;
            const pid_t victims[] = {
                crowd.add([&] { return dying_at(point, [&] { event->wait(); }); }),
                crowd.add([&] { return dying_at(point, [&] { latch->wait(); }); }),
            };
            const auto see_dead = [&] {
                for (const pid_t victim : victims) { CHECK(crowd.wait_for(victim) == killed); }
            };
            if (point == FaultPoint::sleeper_marked) {
                see_dead();
            } else {
                for (const pid_t victim : victims) { wait_until_asleep(victim); }
            }
            const Other other{crowd, asleep, [&] {
                                  event->wait();
                                  latch->wait();
                              }};
            event->set();
            event->clear();
            latch->count_down();
            if (point == FaultPoint::sleeper_woken) { see_dead(); }
            other.release();
            CHECK(crowd.count_good() == 1);
        }
    }
}

TEST_CASE("the last to count down is killed before its one step: another opens the latch") {
    for (const bool asleep : {true, false}) {
        CAPTURE(asleep);
        const Shared<Latch> latch{3};
        Crowd crowd;
        const Other other{crowd, asleep, [&] { latch->wait(); }};
        latch->count_down(2);
        CHECK(crowd.wait_for(crowd.add(
                  [&] { return dying_at(FaultPoint::before_change, [&] { latch->count_down(); }); })) == killed);
        CHECK_FALSE(latch->try_wait());
        latch->count_down();
        other.release();
        CHECK(crowd.count_good() == 1);
    }
}

TEST_CASE("an owner is killed while it destroys an event: its sleepers wait for another owner") {
    const Shared<Event> event;
    Crowd crowd;
    crowd.add_asleep(1, [&] { return refused([&] { event->wait(); }); });
    CHECK(crowd.wait_for(crowd.add([&] { return dying_at(FaultPoint::before_change, [&] { event->~Event(); }); })) ==
          killed);
    wait_until_asleep(crowd[0]);
    CHECK(crowd.wait_for(crowd.add([&] {
        event->~Event();
        return 0;
    })) == 0);
    CHECK(crowd.count_good() == 1);
}

TEST_CASE("the first that waits for a semaphore is killed at each step: the other gets the permit") {
    for (const FaultPoint point : {FaultPoint::semaphore_front, FaultPoint::sleeper_marked, FaultPoint::sleeper_woken,
                                   FaultPoint::semaphore_taken}) {
        for (const bool asleep : {true, false}) {  // whether the other sleeps behind it then, or comes later
            CAPTURE(static_cast<int>(point), asleep);
            const bool woken = point == FaultPoint::sleeper_woken || point == FaultPoint::semaphore_taken;
            const Shared<std::atomic<int>> word{0};
            held = word.get();
            const Shared<Semaphore> semaphore{0};
            Crowd crowd;
            const auto acquire = [&] {
                semaphore->acquire();
                return 0;
            };
            const pid_t victim = crowd.add([&] { return held_at(point, acquire); });
            const auto wait_until_held = [] { wait_until([] { return held->load() == 1; }, "the victim"); };
            woken ? wait_until_asleep(victim) : wait_until_held();
            if (asleep) { wait_until_asleep(crowd.add(acquire)); }
            if (woken) {
                semaphore->release();
                wait_until_held();
            }
            crowd.kill(victim);
            if (!asleep) { crowd.add(acquire); }
            if (point != FaultPoint::sleeper_woken) {
                semaphore->release();
            }  // its permit went with it, or none has come
            CHECK(crowd.count_good() == 1);
            CHECK(semaphore->was_value() == 0);
        }
    }
}

TEST_CASE("a releaser is killed before its one step: no permit has come - and the next release wakes") {
    for (const bool asleep : {true, false}) {
        CAPTURE(asleep);
        const Shared<Semaphore> semaphore{0};
        const Shared<BoundedSemaphore> bounded{1};
        bounded->acquire();
        Crowd crowd;
        const Other other{crowd, asleep, [&] {
                              semaphore->acquire();
                              bounded->acquire();
                          }};
        const auto die_in = [&](auto release) {
            return crowd.wait_for(crowd.add([&] { return dying_at(FaultPoint::before_change, release); }));
        };
        CHECK(die_in([&] { semaphore->release(3); }) == killed);
        CHECK(semaphore->was_value() == 0);
        other.release();
        semaphore->release();
        wait_until([&] { return word_of(*bounded).load() == asleep_bit; }, "the sleeper");
        CHECK(die_in([&] { bounded->release(); }) == killed);  // holds the lock of those that release
        CHECK(bounded->was_value() == 0);
        bounded->release();
        CHECK(crowd.count_good() == 1);
        CHECK_THROWS_AS(bounded->release(2), std::logic_error);
    }
}

namespace {

/// Returns: 0 when the barrier is broken, 10 when this party has passed it.
int meet(Barrier& barrier) {
    try {
        barrier.arrive_and_wait();
    } catch (const BrokenBarrier&) { return 0; }
    return 10;
}

/// A barrier of three at which one dies at a point, as the nth to come.
struct Attempt {
    FaultPoint point;
    int nth;
    int others_end;
    Shared<Barrier> barrier{3, [] {}};
    Crowd others{};
};

}  // namespace

TEST_CASE("a party of a barrier is killed at each of its steps: the others pass or are told") {
    std::vector<std::unique_ptr<Attempt>> attempts;  // at once, since they look again every 100 ms
    for (const FaultPoint point :
         {FaultPoint::barrier_stamped, FaultPoint::barrier_counted, FaultPoint::barrier_last,
          FaultPoint::barrier_completed, FaultPoint::barrier_before_pass, FaultPoint::barrier_not_woken}) {
        const bool only_last = point != FaultPoint::barrier_stamped && point != FaultPoint::barrier_counted;
        for (int nth = only_last ? 3 : 1; nth <= 3; ++nth) {
            attempts.emplace_back(new Attempt{point, nth, point == FaultPoint::barrier_not_woken ? 10 : 0});
        }
    }
    for (const auto& attempt : attempts) {
        CAPTURE(static_cast<int>(attempt->point), attempt->nth);
        Barrier& barrier = *attempt->barrier;
        attempt->others.add_asleep(attempt->nth - 1, [&] { return meet(barrier); });
        Crowd victim;
        CHECK(victim.wait_for(victim.add([&] { return dying_at(attempt->point, [&] { meet(barrier); }); })) == killed);
        for (int i = attempt->nth; i < 3; ++i) {
            attempt->others.add([&] { return meet(barrier); });
        }
    }
    for (const auto& attempt : attempts) {
        CAPTURE(static_cast<int>(attempt->point), attempt->nth);
        while (attempt->others.size() > 0) {
            CHECK(attempt->others.wait_for(attempt->others[0]) == attempt->others_end);
        }
        attempt->barrier->reset();
        attempt->others.add_asleep(2, [&] { return meet(*attempt->barrier); });
        CHECK(meet(*attempt->barrier) == 10);
        CHECK(attempt->others.wait_for(attempt->others[0]) == 10);
        CHECK(attempt->others.wait_for(attempt->others[0]) == 10);
    }
}

TEST_CASE("one is killed while it resets or breaks a barrier: those that wait are told") {
    const auto die_in = [](Barrier& barrier, auto call) {
        Crowd crowd;
        crowd.add_asleep(1, [&] { return meet(barrier); });
        Crowd victim;
        CHECK(victim.wait_for(victim.add([&] { return dying_at(FaultPoint::barrier_not_woken, call); })) == killed);
        CHECK(crowd.count_good() == 1);
        barrier.reset();
        crowd.add_asleep(2, [&] { return meet(barrier) - 10; });
        CHECK(meet(barrier) == 10);
        CHECK(crowd.count_good() == 2);
    };
    const Shared<Barrier> barrier{3};
    die_in(*barrier, [&] { barrier->reset(); });
    die_in(*barrier, [&] { barrier->arrive_and_wait_for(std::chrono::milliseconds{1}); });
}

TEST_CASE("one that waits for permits or gives one back is killed: another gets it") {
    for (const FaultPoint point : {FaultPoint::sleeper_marked, FaultPoint::sleeper_woken, FaultPoint::permit_freed}) {
        CAPTURE(static_cast<int>(point));
        const Shared<Permits> permits{1};
        std::optional<Permits::Permit> mine = permits->acquire();
        Crowd crowd;
        const pid_t victim =
            crowd.add([&] { return dying_at(point, [&] { const Permits::Permit permit = permits->acquire(); }); });
        const auto see_dead = [&] { CHECK(crowd.wait_for(victim) == killed); };
        point == FaultPoint::sleeper_marked ? see_dead() : wait_until_asleep(victim);
        const pid_t other = crowd.add([&] {
            const Permits::Permit permit = permits->acquire();
            return 0;
        });
        wait_until_asleep(other);
        mine.reset();
        if (point != FaultPoint::sleeper_marked) { see_dead(); }
        CHECK(crowd.wait_for(other) == 0);
        CHECK(permits->was_free() == 1);
    }
}

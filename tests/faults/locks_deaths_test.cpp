// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/shm/shared.hpp>
#include <procpool/sync/condition.hpp>
#include <procpool/sync/mutex.hpp>
#include <procpool/sync/recursive_mutex.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/held.hpp"

#include <array>
#include <functional>
#include <mutex>

#include <unistd.h>
#include <csignal>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;
using detail::FaultPoint;

// No wait in these tests looks again by itself, which would hide a lost wake-up.

namespace {

/// A child that runs f() and kills itself when it reaches the point.
template <class F>
pid_t start_victim(FaultPoint point, F f) {
    static FaultPoint deadly;
    deadly = point;
    return start_child([&] {
        detail::fault_hook = [](FaultPoint reached) {
            if (reached == deadly) { ::kill(::getpid(), SIGKILL); }
        };
        f();
        return 0;
    });
}

struct Room {
    Mutex mutex;
    Condition changed;
    int state = 0;
};

pid_t start_waiter(Room& room) {
    const pid_t child = start_child([&] {
        std::unique_lock lock{room.mutex};
        while (room.state == 0) { room.changed.wait(lock); }
        return 0;
    });
    wait_for_sleep(child);
    return child;
}

void change(Room& room) {
    const std::scoped_lock hold{room.mutex};
    room.state = 1;
}

}  // namespace

TEMPLATE_TEST_CASE("an owner that dies while it takes notice of a death leaves the news to the next", "", Mutex,
                   RecursiveMutex) {
    const std::array<std::function<void(TestType&)>, 4> ways{
        [](TestType& mutex) { mutex.lock(); }, [](TestType& mutex) { static_cast<void>(mutex.try_lock()); },
        [](TestType& mutex) { static_cast<void>(mutex.try_lock_for(1h)); },
        [](TestType& mutex) { mutex.recover([] {}); }};
    for (const auto& way : ways) {
        const Shared<TestType> mutex;
        CHECK(in_child([&] {
                  mutex->lock();
                  return ::raise(SIGKILL);
              }) == 128 + SIGKILL);
        CHECK(WIFSIGNALED(wait_for_child(start_victim(FaultPoint::poisoned_not_consistent, [&] { way(*mutex); }))));
        CHECK_THROWS_AS(mutex->lock(), OwnerDied);
        mutex->recover([] {});
        CHECK(mutex->try_lock());
        mutex->unlock();
    }
}

TEST_CASE("with others asleep for the lock: each that dies while it takes notice wakes the next - who is told") {
    const Shared<Mutex> mutex;
    const pid_t owner = start_holder([&] { return std::unique_lock{*mutex}; });
    std::array<pid_t, 3> victims{};
    for (pid_t& victim : victims) {
        victim = start_victim(FaultPoint::poisoned_not_consistent, [&] { mutex->lock(); });
        wait_for_sleep(victim);
    }
    const pid_t survivor = start_child([&] {
        try {
            mutex->lock();
        } catch (const OwnerDied&) { return 0; }
        return 1;
    });
    wait_for_sleep(survivor);
    kill_and_reap(owner);
    CHECK(wait_for_child(survivor) == 0);
    for (const pid_t victim : victims) {
        // The survivor may have come before some of them, which go on then.
        const int status = wait_for_child(victim);
        CHECK((WIFSIGNALED(status) || WEXITSTATUS(status) == 99));
    }
}

TEST_CASE("a waiter that dies before it sleeps takes no notification from one that does") {
    const Shared<Room> room;
    const pid_t waiter = start_waiter(*room);
    CHECK(WIFSIGNALED(wait_for_child(start_victim(FaultPoint::condition_unlocked, [&] {
        std::unique_lock lock{room->mutex};
        room->changed.wait(lock);
    }))));
    change(*room);
    room->changed.notify_one();
    CHECK(wait_for_child(waiter) == 0);
}

TEST_CASE("a waiter that dies as it is woken keeps nobody else asleep") {
    const Shared<Room> room;
    const pid_t victim = start_victim(FaultPoint::condition_woken, [&] {
        std::unique_lock lock{room->mutex};
        room->changed.wait(lock);
    });
    wait_for_sleep(victim);
    const pid_t waiter = start_waiter(*room);
    change(*room);
    room->changed.notify_all();
    CHECK(WIFSIGNALED(wait_for_child(victim)));
    CHECK(wait_for_child(waiter) == 0);
    CHECK(room->mutex.try_lock());  // the victim was killed without the lock
    room->mutex.unlock();
}

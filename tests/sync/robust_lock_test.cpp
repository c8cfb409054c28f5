// SPDX-License-Identifier: BSL-1.0
#include <procpool/sync/robust_lock.hpp>

#include <procpool/shm/shared.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/held.hpp"

#include <thread>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;
using detail::Deadline;
using detail::sync::Locked;
using detail::sync::RobustLock;

template <>
inline constexpr bool procpool::enable_shared<RobustLock> = true;

namespace {

pid_t start_owner(RobustLock& lock) {
    return start_holder([&] { return lock.lock(); });
}

}  // namespace

TEST_CASE("the first word of a robust lock is the kernel's") {
    const Shared<RobustLock> lock;
    CHECK(lock->look() == 0);
    CHECK(lock->try_lock() == Locked::yes);
    CHECK((lock->look() & detail::os::futex_owner) == static_cast<std::uint32_t>(this_thread()));
    CHECK(lock->was_locked());
    CHECK_FALSE(lock->owner_seems_dead());
    CHECK(lock->try_unlock());
    CHECK(lock->look() == 0);
}

TEST_CASE("an owner is told that it holds the lock - a recursive one counts") {
    const Shared<RobustLock> lock;
    CHECK(lock->lock() == Locked::yes);
    CHECK(lock->try_lock() == Locked::own);
    CHECK(lock->lock() == Locked::own);
    CHECK(lock->lock(Deadline::after(1ms)) == Locked::own);
    CHECK_THROWS_AS(lock->lock_healed(), std::system_error);  // as a signal handler may try
    CHECK(lock->try_unlock());
    CHECK_FALSE(lock->try_unlock());

    const Shared<RobustLock> recursive{RobustLock::Kind::recursive};
    CHECK(recursive->lock() == Locked::yes);
    CHECK(recursive->try_lock() == Locked::yes);
    recursive->unlock();
    CHECK(in_child([&] { return recursive->try_lock() == Locked::no ? 0 : 1; }) == 0);
    recursive->unlock();
    CHECK(in_child([&] { return recursive->try_lock() == Locked::yes ? 0 : 1; }) == 0);
}

TEST_CASE("zeroed memory is a robust lock once it has been prepared any number of times") {
    struct Zeros {
        alignas(RobustLock) std::byte bytes[sizeof(RobustLock)];
    };
    const Shared<Zeros> zeros;
    auto& lock = *reinterpret_cast<RobustLock*>(zeros->bytes);
    lock.prepare();
    CHECK(lock.lock() == Locked::yes);
    lock.prepare();
    CHECK(lock.was_locked());
    CHECK(lock.try_lock() == Locked::own);
    CHECK(in_child([&] {
              lock.prepare();
              return lock.try_lock() == Locked::no && !lock.try_unlock() ? 0 : 1;
          }) == 0);
    CHECK(lock.try_unlock());
    kill_and_reap(start_owner(lock));
    CHECK(lock.owner_seems_dead());
    CHECK(lock.try_lock() == Locked::owner_died);
    lock.heal();
    lock.unlock();
}

TEST_CASE("an owner's death is told to the next owners until one of them heals the lock") {
    const Shared<RobustLock> lock;
    kill_and_reap(start_owner(*lock));
    for (int i = 0; i < 2; ++i) {
        // This one is told and dies without healing.
        const pid_t next = start_child([&] {
            if (lock->lock() != Locked::owner_died) { return 1; }
            ::raise(SIGKILL);
            return 2;
        });
        CHECK(WIFSIGNALED(wait_for_child(next)));
    }
    CHECK(lock->lock() == Locked::owner_died);
    lock->heal();
    lock->unlock();
    CHECK(lock->lock() == Locked::yes);
    lock->unlock();
    kill_and_reap(start_owner(*lock));
    CHECK(lock->lock_healed(Deadline::immediately()));
    lock->unlock();
    CHECK(lock->lock_healed());
    lock->unlock();
}

TEST_CASE("threads that sleep for a robust lock get it one after the other when owners are killed") {
    const Shared<RobustLock> lock;
    SharedPage page;
    const Counter told{page};
    const pid_t owner = start_owner(*lock);
    std::array<pid_t, 2> waiters{};
    for (pid_t& waiter : waiters) {
        waiter = start_child([&] {
            if (lock->lock() != Locked::owner_died) { return 1; }
            told.add();
            ::raise(SIGKILL);
            return 2;
        });
        wait_for_sleep(waiter);
    }
    kill_and_reap(owner);
    for (const pid_t waiter : waiters) { CHECK(WIFSIGNALED(wait_for_child(waiter))); }
    CHECK(told.value() == 2);
    CHECK(lock->try_lock() == Locked::owner_died);
    lock->heal();
    lock->unlock();
}

TEST_CASE("a thread that sleeps for a robust lock gets it though all who knew of it are dead or had come later") {
    const Shared<RobustLock> lock;
    SharedPage page;
    const Gate held{page};
    const Gate unlocks{page};
    // Dies within its unlock: the word says that the lock is free, and nobody is woken.
    const pid_t owner = start_child([&] {
        static_cast<void>(lock->lock());
        held.set();
        unlocks.wait();
        lock->word().store(0);
        ::raise(SIGKILL);
        return 1;
    });
    held.wait();
    const pid_t waiter = start_child([&] { return lock->lock() == Locked::yes ? 0 : 1; });
    wait_for_sleep(waiter);
    unlocks.set();
    CHECK(WIFSIGNALED(wait_for_child(owner)));
    // One who comes by has not seen that another sleeps.
    if (lock->try_lock() == Locked::yes) { lock->unlock(); }
    CHECK(wait_for_child(waiter) == 0);
}

TEST_CASE("an attempt with a deadline ends there when another holds the lock - not before") {
    const Shared<RobustLock> lock;
    const pid_t owner = start_owner(*lock);
    const auto start = detail::Clock::now();
    CHECK(lock->lock(Deadline::after(20ms)) == Locked::no);
    CHECK(detail::Clock::now() - start >= 20ms);
    CHECK(lock->lock(Deadline::immediately()) == Locked::no);
    CHECK(lock->try_lock() == Locked::no);
    CHECK_FALSE(lock->try_unlock());
    kill_and_reap(owner);
    CHECK(lock->lock(Deadline::after(1h)) == Locked::owner_died);
    lock->heal();
    lock->unlock();
}

TEST_CASE("a thread that ends with a robust lock is a death") {
    const Shared<RobustLock> lock;
    std::thread{[&] { static_cast<void>(lock->lock()); }}.join();
    CHECK(lock->try_lock() == Locked::owner_died);
    lock->heal();
    lock->unlock();
}

// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/sync/barrier.hpp>
#include <procpool/sync/condition.hpp>
#include <procpool/sync/event.hpp>
#include <procpool/sync/guarded.hpp>
#include <procpool/sync/latch.hpp>
#include <procpool/sync/mutex.hpp>
#include <procpool/sync/permits.hpp>
#include <procpool/sync/semaphore.hpp>

#include <mutex>

using namespace procpool;

void wait(Mutex& mutex, Guarded<int>& number, Event& event, Latch& latch, Semaphore& semaphore, Barrier& barrier,
          Permits& permits, Condition& condition) {
    // expect-error: procpool: a time has a unit: write 5s or 500ms
    static_cast<void>(mutex.try_lock_for(5));
    // expect-error: procpool: a time has a unit: write 5s or 500ms
    static_cast<void>(number.try_lock_for(5U));
    // expect-error: procpool: a time has a unit: write 5s or 500ms
    static_cast<void>(event.wait_for(0.5));
    std::unique_lock lock{mutex};
    // expect-error: procpool: a time has a unit: write 5s or 500ms
    condition.wait_for(lock, 5L);
    // expect-error: procpool: a time has a unit: write 5s or 500ms
    condition.wait_for(lock, 5LL, [] { return true; });
    // expect-error: procpool: a time has a unit: write 5s or 500ms
    permits.try_acquire_for(short{5});
    // expect-error: procpool: a time has a unit: write 5s or 500ms
    static_cast<void>(semaphore.try_acquire_for(5ULL));
    // expect-error: procpool: a time has a unit: write 5s or 500ms
    barrier.arrive_and_wait_for(5.F);
    // expect-error: procpool: a time has a unit: write 5s or 500ms
    static_cast<void>(latch.arrive_and_wait_for(5UL, 2));
}

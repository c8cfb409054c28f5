// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared.hpp>
#include <procpool/sync/barrier.hpp>
#include <procpool/sync/bounded_semaphore.hpp>
#include <procpool/sync/condition.hpp>
#include <procpool/sync/event.hpp>
#include <procpool/sync/guarded.hpp>
#include <procpool/sync/latch.hpp>
#include <procpool/sync/mutex.hpp>
#include <procpool/sync/permits.hpp>
#include <procpool/sync/recursive_mutex.hpp>
#include <procpool/sync/semaphore.hpp>

#include <mutex>
#include <string>

using namespace procpool;

void use(const Shared<Mutex>& shared, const Shared<Guarded<int>>& number, const Shared<Condition>& condition,
         const Shared<RecursiveMutex>& recursive) {
    // expect-error: a.Shared.is.not.copied.*capture.*get
    const auto first = [shared] { shared->lock(); };
    // expect-error: not.copied.*capture.or.pass.its.address
    const auto second = [mutex = *shared] {};
    // expect-error: not.copied.*capture.or.pass.its.address
    const auto third = [mutex = *recursive] {};
    // expect-error: not.copied.*capture.or.pass.its.address
    const auto fourth = [value = *number] {};
    // expect-error: not.copied.*capture.or.pass.its.address
    const Condition fifth{*condition};
}

void use(const Shared<Event>& event, const Shared<Latch>& latch, const Shared<Semaphore>& semaphore,
         const Shared<BoundedSemaphore>& bounded, const Shared<Barrier>& barrier, const Shared<Permits>& permits) {
    // expect-error: not.copied.*capture.or.pass.its.address
    const auto first = [e = *event] {};
    // expect-error: not.copied.*capture.or.pass.its.address
    const auto second = [l = *latch] {};
    // expect-error: not.copied.*capture.or.pass.its.address
    const auto third = [s = *semaphore] {};
    // expect-error: not.copied.*capture.or.pass.its.address
    const auto fourth = [b = *bounded] {};
    // expect-error: not.copied.*capture.or.pass.its.address
    const auto fifth = [b = *barrier] {};
    // expect-error: not.copied.*capture.or.pass.its.address
    const auto sixth = [p = *permits] {};
}

void share() {
    // expect-error: procpool: a string or container keeps its elements in memory of one process
    const Shared<Guarded<std::string>> text;
    // expect-error: procpool: a std::mutex or another lock of the standard library.*use procpool::Mutex
    const Shared<Guarded<std::mutex>> lock;
}

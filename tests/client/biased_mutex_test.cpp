// SPDX-License-Identifier: BSL-1.0
#include <procpool/client/biased_mutex.hpp>

#include <procpool/os/call.hpp>

#include "pool/subprocess.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;

namespace {

/// Effects: the mutex is biased to the caller, where the system knows how to revoke that again.
bool become_owner(detail::client::BiasedMutex& mutex) {
    constexpr int more_than_enough = 1 << 20;
    for (int i = 0; i < more_than_enough && !mutex.is_biased(); ++i) { const std::lock_guard guard{mutex}; }
    return mutex.is_biased();
}

/// Effects: it is unlocked. Requires: the caller has locked it.
void check_that_another_waits(detail::client::BiasedMutex& mutex) {
    int value = 0;
    std::atomic<pid_t> other_id{0};
    std::thread other{[&] {
        other_id = ::gettid();
        const std::lock_guard guard{mutex};
        value *= 2;
    }};
    wait_until([&] { return other_id != 0; }, "the thread");
    wait_until_asleep(other_id);
    value = 1;
    mutex.unlock();
    other.join();
    CHECK(value == 2);
}

TEST_CASE("a mutex is biased to a thread that locks it many times in a row until another thread locks it", "[thread]") {
    detail::client::BiasedMutex mutex;
    CHECK_FALSE(mutex.try_lock_as_owner());
    if (!become_owner(mutex)) { return; }
    REQUIRE(mutex.try_lock_as_owner());
    mutex.unlock();
    std::thread{[&] {
        CHECK_FALSE(mutex.try_lock_as_owner());
        CHECK(mutex.is_biased());
        const std::lock_guard guard{mutex};
        CHECK_FALSE(mutex.is_biased());
    }}.join();
    CHECK_FALSE(mutex.try_lock_as_owner());
    CHECK(become_owner(mutex));
}

TEST_CASE("a biased mutex whose bias has ended excludes others like any other and has no owner afterwards",
          "[thread]") {
    for (const bool with_owner : {true, false}) {
        detail::client::BiasedMutex mutex;
        if (with_owner) { static_cast<void>(become_owner(mutex)); }
        mutex.lock_and_end_bias();
        CHECK_FALSE(mutex.is_biased());
        check_that_another_waits(mutex);
        CHECK_FALSE(become_owner(mutex));
    }
}

TEST_CASE("a thread that revokes the bias waits until the owner has unlocked the mutex", "[thread]") {
    detail::client::BiasedMutex mutex;
    static_cast<void>(become_owner(mutex));
    mutex.lock();
    check_that_another_waits(mutex);
}

TEST_CASE("a biased mutex lets one thread in at a time also while the bias is revoked", "[thread]") {
    constexpr int rounds = 5000;
    for (int round = 0; round < rounds; ++round) {
        detail::client::BiasedMutex mutex{20};
        std::uint64_t one = 0;  // both change by one step each time the mutex is locked
        std::uint64_t two = 0;
        std::atomic<bool> stop{false};
        std::thread owner{[&] {
            while (!stop.load(std::memory_order_relaxed)) {
                const std::lock_guard guard{mutex};
                ++one;
                ++two;
            }
        }};
        std::uint64_t seen = 0;
        for (int i = 0; i < 3; ++i) {
            for (int look = 0; look < 1000 && !mutex.is_biased(); ++look) { detail::relax(); }
            const std::lock_guard guard{mutex};
            seen += one == two ? 1 : 0;
            ++one;
            ++two;
        }
        stop.store(true, std::memory_order_relaxed);
        owner.join();
        REQUIRE(seen == 3);
        REQUIRE(one == two);
    }
}

TEST_CASE("a biased mutex has no owner where the system has no barrier for all threads", "[thread]") {
    detail::os::refuse_call = [](const char* name) noexcept {
        return std::strcmp(name, "membarrier") == 0 ? ENOSYS : 0;
    };
    detail::client::BiasedMutex mutex;
    CHECK_FALSE(become_owner(mutex));
    int count = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                for (int k = 0; k < 10'000; ++k) {
                    const std::lock_guard guard{mutex};
                    ++count;
                }
            });
        }
    }
    detail::os::refuse_call = nullptr;
    CHECK(count == 30'000);
}

}  // namespace

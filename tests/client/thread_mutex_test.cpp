// SPDX-License-Identifier: BSL-1.0
#include <procpool/client/thread_mutex.hpp>

#include "pool/subprocess.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <unistd.h>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;

TEST_CASE("a thread mutex lets one thread in at a time", "[thread]") {
    constexpr int rounds = 20'000;
    detail::client::ThreadMutex mutex;
    std::int64_t count = 0;
    const auto add = [&] {
        for (int i = 0; i < rounds; ++i) {
            const std::lock_guard guard{mutex};
            ++count;
        }
    };
    add();  // while there is no other thread
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) { threads.emplace_back(add); }
        add();
    }
    add();
    CHECK(count == 7 * rounds);
}

TEST_CASE("a thread mutex that is held when the first other thread begins excludes it", "[thread]") {
    detail::client::ThreadMutex mutex;
    mutex.lock();
    int value = 0;
    std::jthread other{[&] {
        const std::lock_guard guard{mutex};
        value *= 2;
    }};
    value = 1;
    mutex.unlock();
    other.join();
    CHECK(value == 2);
}

TEST_CASE("a thread that finds a thread mutex held sleeps until it is free", "[thread]") {
    detail::client::ThreadMutex mutex;
    std::atomic<pid_t> waiting{0};
    std::jthread other;
    {
        const std::lock_guard guard{mutex};
        other = std::jthread{[&] {
            waiting = ::gettid();
            const std::lock_guard mine{mutex};
        }};
        wait_until([&] { return waiting != 0; }, "the thread");
        wait_until_asleep(waiting);
    }
    other.join();
}

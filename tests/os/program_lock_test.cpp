// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/program_lock.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;

TEST_CASE("one thread at a time has the lock", "[thread]") {
    detail::os::ProgramLock lock;
    int unprotected = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 200; ++i) {
                const std::lock_guard guard{lock};
                ++unprotected;
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(unprotected == 800);
}

TEST_CASE("a child that is forked while the lock is held takes it over - once") {
    detail::os::ProgramLock lock;
    lock.lock();
    CHECK(in_child([&] {
              lock.lock();  // held by a process of which nothing lives here
              std::atomic<bool> entered{false};
              std::thread other{[&] {
                  const std::lock_guard guard{lock};
                  entered = true;
              }};
              std::this_thread::sleep_for(std::chrono::milliseconds{20});
              if (entered) { ::_exit(1); }
              lock.unlock();
              other.join();
              const int grandchild = in_child([&] {
                  const std::lock_guard guard{lock};
                  return 0;
              });
              return entered ? grandchild : 2;
          }) == 0);
    lock.unlock();
    const std::lock_guard again{lock};
}

// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/first_thread.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <thread>

#include <unistd.h>

using namespace procpool;
using namespace procpool_test;

TEST_CASE("a thread knows its own children until they are waited for") {
    CHECK_FALSE(detail::os::has_children_of_its_own());
    const pid_t child = start_child([] { return 0; });
    CHECK(detail::os::has_children_of_its_own());
    bool of_another = true;
    std::thread{[&] { of_another = detail::os::has_children_of_its_own(); }}.join();
    CHECK_FALSE(of_another);
    static_cast<void>(wait_for_child(child));
    CHECK_FALSE(detail::os::has_children_of_its_own());
}

TEST_CASE("a process knows whether it has threads besides the caller") {
    CHECK(in_child([] {
              if (detail::os::has_other_threads()) { return 1; }
              std::atomic<bool> may_end{false};
              std::thread other{[&] { may_end.wait(false); }};
              const bool has = detail::os::has_other_threads();
              may_end = true;
              may_end.notify_one();
              other.join();
              return has ? 0 : 2;
          }) == 0);
}

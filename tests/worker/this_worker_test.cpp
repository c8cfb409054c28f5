// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/thread_context.hpp>
#include <procpool/worker/this_worker.hpp>

#include "support/catch.hpp"

#include <stdexcept>
#include <thread>

using namespace procpool;

TEST_CASE("outside of workers: there is no worker to ask about") {
    CHECK_FALSE(in_worker());
    CHECK_THROWS_AS(this_worker::index(), std::logic_error);
    CHECK_THROWS_AS(this_worker::pid(), std::logic_error);
    CHECK_THROWS_AS(this_task::id(), std::logic_error);
}

TEST_CASE("the identity is the thread's", "[thread]") {
    bool seen = false;
    std::thread thread{[&] {
        detail::task::thread_context = {true, 3, 44};
        seen = in_worker() && this_worker::index() == 3 && this_worker::pid() == 44 && this_task::id() == 0;
    }};
    thread.join();
    CHECK(seen);
    CHECK_FALSE(in_worker());
}

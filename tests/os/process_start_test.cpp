// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/process_start.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <thread>

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace procpool;
using namespace procpool_test;
using detail::os::start_of_process;

TEST_CASE("a process has started at one time as long as it runs and at none when it has ended") {
    SharedPage page;
    const Gate may_end{page};
    const pid_t child = start_child([&] {
        may_end.wait();
        return 0;
    });
    const std::uint64_t start = start_of_process(child);
    CHECK(start > 1);
    CHECK(start >= start_of_process(::getpid()));
    CHECK(start_of_process(child) == start);
    may_end.set();
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
    CHECK(start_of_process(child) == 0);  // while nobody has waited for it
    CHECK(wait_for_child(child) == 0);
    CHECK(start_of_process(child) == 0);
    CHECK(start_of_process(0) == 0);
    CHECK(start_of_process(-1) == 0);
}

TEST_CASE("a process whose first thread has ended goes on") {
    SharedPage page;
    const Gate may_end{page};
    const Gate left{page};
    const pid_t child = start_child([&] {
        const pthread_t first = ::pthread_self();
        std::thread{[&, first] {
            ::pthread_join(first, nullptr);
            left.set();
            may_end.wait();
            ::_exit(0);
        }}.detach();
        ::syscall(SYS_exit, 0);  // the thread alone, and nothing of it is unwound
        return 1;
    });
    left.wait();
    CHECK(start_of_process(child) > 1);
    may_end.set();
    CHECK(wait_for_child(child) == 0);
}

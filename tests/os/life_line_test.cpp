// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/life_line.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <utility>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// Runs parent(child is watching) in a process with a line, whose child watches it and leaves with what it finds within
/// 10 s: 1 the parent is gone, 2 it must be asked, 3 neither.
struct Scene {
    SharedPage page;
    const Gate watching{page};
    const Gate may_look{page};
    const Counter found{page};

    template <class Parent>
    void play(Parent parent) const {
        const pid_t process = start_child([&] {
            const detail::os::LifeLine::Lease line = detail::os::LifeLine::lease();
            detail::os::Descriptor alive = detail::os::open_pidfd(detail::os::this_process());
            static_cast<void>(start_child([&] {
                detail::os::LifeLine::Watch watch = detail::os::LifeLine::watch_parent(std::move(alive), true);
                watching.set();
                may_look.wait();
                const auto end = detail::Deadline::after(10s);
                while (!watch.is_gone() && !watch.must_ask() && !end.passed()) { ::usleep(1000); }
                found.add(watch.is_gone() ? 1 : watch.must_ask() ? 2 : 3);
                return 0;
            }));
            watching.wait();
            parent(*this);
            return 0;
        });
        static_cast<void>(wait_for_child(process));
    }
};

}  // namespace

TEST_CASE("a child learns of its parent's end") {
    const Scene scene;
    scene.play([](const Scene& s) {
        s.may_look.set();
        ::raise(SIGKILL);
    });
    scene.found.wait_for(1);
    CHECK(scene.found.value() == 1);
}

TEST_CASE("a child learns that its parent executes another program") {
    const Scene scene;
    scene.play([](const Scene& s) {
        s.may_look.set();
        ::execlp("sh", "sh", "-c", "sleep 1", nullptr);
    });
    scene.found.wait_for(1);
    CHECK(scene.found.value() == 1);
}

TEST_CASE("a parent that closes all its descriptors is not gone") {
    const Scene scene;
    scene.play([](const Scene& s) {
        for (int number = 3; number < 1024; ++number) { ::close(number); }
        s.may_look.set();
        s.found.wait_for(1);
    });
    CHECK(scene.found.value() == 2);
}

TEST_CASE("the kernel signals a child at its parent's end although it is stopped") {
    SharedPage page;
    const Counter child{page};
    const pid_t process = start_child([&] {
        const detail::os::LifeLine::Lease line = detail::os::LifeLine::lease();
        const pid_t pid = start_child([&] {
            const detail::os::LifeLine::Watch watch = detail::os::LifeLine::watch_parent({}, true);
            detail::os::SignalsAtEnd::ask(watch.pipe(), SIGKILL);
            ::raise(SIGSTOP);
            return 0;
        });
        siginfo_t info{};
        ::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED);
        child.add(pid);
        ::raise(SIGKILL);
        return 0;
    });
    static_cast<void>(wait_for_child(process));
    wait_until([&] { return detail::os::is_gone(static_cast<pid_t>(child.value())); }, "a stopped child to be killed");
}

TEST_CASE("leases share one line whose descriptors are closed with the last of them") {
    const auto first_free = [] {
        const int number = ::dup(STDOUT_FILENO);
        ::close(number);
        return number;
    };
    const int before = first_free();
    {
        const detail::os::LifeLine::Lease one = detail::os::LifeLine::lease();
        const int with_one = first_free();
        const detail::os::LifeLine::Lease two = detail::os::LifeLine::lease();
        CHECK(first_free() == with_one);
        CHECK(with_one > before);
    }
    CHECK(first_free() == before);
}

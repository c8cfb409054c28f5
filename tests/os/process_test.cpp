// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/process.hpp>

#include "os/in_child.hpp"
#include "os/refusal.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <thread>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// While it lives, children are made as on a kernel without pidfds, if so wanted.
class WithPidfds {
public:
    explicit WithPidfds(bool with) {
        if (!with) { refusal_.emplace("pidfd_open", ENOSYS); }
    }

private:
    std::optional<Refusal> refusal_;
};

detail::Deadline soon() { return detail::Deadline::after(20s); }

/// A signal every millisecond, while it lives.
class Drizzle {
public:
    Drizzle() {
        struct sigaction action {};
        action.sa_handler = [](int) {};
        ::sigaction(SIGALRM, &action, &before_);  // no SA_RESTART: every call is interrupted
        const itimerval every{{0, 1000}, {0, 1000}};
        ::setitimer(ITIMER_REAL, &every, nullptr);
    }
    Drizzle(const Drizzle&) = delete;
    Drizzle& operator=(const Drizzle&) = delete;
    ~Drizzle() {
        const itimerval never{};
        ::setitimer(ITIMER_REAL, &never, nullptr);
        ::sigaction(SIGALRM, &before_, nullptr);
    }

private:
    struct sigaction before_ {};
};

}  // namespace

TEST_CASE("a child has ended when it has ended and not before") {
    const WithPidfds mode{GENERATE(true, false)};
    SharedPage page;
    const Gate may_end{page};
    const pid_t pid = start_child([&] {
        may_end.wait();
        return 0;
    });
    const detail::os::Child child{pid};
    CHECK(child);
    CHECK(child.pid() == pid);
    CHECK_FALSE(child.has_ended());
    CHECK_FALSE(child.wait_for_end(detail::Deadline::immediately()));
    const auto start = detail::Clock::now();
    CHECK_FALSE(child.wait_for_end(detail::Deadline::after(20ms)));
    CHECK(detail::Clock::now() - start >= 20ms);
    may_end.set();
    CHECK(child.wait_for_end(soon()));
    CHECK(child.has_ended());
    CHECK(child.has_ended());  // looking does not reap
    CHECK(::kill(pid, 0) == 0);
    child.reap();
    CHECK(::kill(pid, 0) == -1);
    CHECK(child.has_ended());
}

TEST_CASE("no child is none") { CHECK_FALSE(detail::os::Child{}); }

TEST_CASE("a child that somebody else reaped has ended") {
    const WithPidfds mode{GENERATE(true, false)};
    const pid_t pid = start_child([] { return 3; });
    const detail::os::Child child{pid};
    int status = 0;
    while (::waitpid(-1, &status, 0) != pid) {}
    CHECK(child.has_ended());
    CHECK(child.wait_for_end(detail::Deadline::never()));
    child.signal(SIGKILL);
    child.reap();  // does not block
}

TEST_CASE("a child whose number nobody keeps because SIGCHLD is ignored - has ended") {
    const WithPidfds mode{GENERATE(true, false)};
    struct sigaction before {};
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGCHLD, &ignore, &before);
    {
        SharedPage page;
        const Gate may_end{page};
        const detail::os::Child child{start_child([&] {
            may_end.wait();
            return 0;
        })};
        CHECK_FALSE(child.has_ended());
        may_end.set();
        CHECK(child.wait_for_end(soon()));
        child.reap();
    }
    ::sigaction(SIGCHLD, &before, nullptr);
}

TEST_CASE("a signal reaches the child") {
    const WithPidfds mode{GENERATE(true, false)};
    const pid_t pid = start_child([] {
        for (;;) { ::pause(); }
        return 0;
    });
    const detail::os::Child child{pid};
    child.signal(SIGTERM);
    CHECK(child.wait_for_end(soon()));
    int status = 0;
    CHECK(::waitpid(pid, &status, 0) == pid);
    CHECK(WTERMSIG(status) == SIGTERM);
}

TEST_CASE("a signal for a child that is gone does not hit a stranger with its number") {
    const pid_t pid = start_child([] { return 0; });
    const detail::os::Child child{pid};
    REQUIRE(child.wait_for_end(soon()));
    child.reap();

    std::array<pid_t, 1> number{pid};
    clone_args wanted{};
    wanted.exit_signal = SIGCHLD;
    wanted.set_tid = reinterpret_cast<std::uint64_t>(number.data());
    wanted.set_tid_size = 1;
    const long stranger = ::syscall(SYS_clone3, &wanted, sizeof wanted);
    if (stranger == 0) {
        for (;;) { ::pause(); }
    }
    if (stranger < 0) {
        WARN("choosing a process number is not permitted here: " << std::strerror(errno));
        return;
    }
    REQUIRE(stranger == pid);
    CHECK(child.has_ended());
    child.signal(SIGKILL);
    CHECK(::kill(pid, SIGTERM) == 0);
    const int status = wait_for_child(pid);
    CHECK(WTERMSIG(status) == SIGTERM);  // ours, not the one meant for the child
}

TEST_CASE("the status of a child tells how it ended") {
    const auto status_of = [](auto function) {
        const pid_t pid = start_child(function);
        siginfo_t info{};
        ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED);
        return detail::os::exit_status_of(info.si_code, info.si_status);
    };
    CHECK(status_of([] { return 3; }) == ExitStatus::from_code(3));
    CHECK(status_of([] { return ::raise(SIGKILL); }) == ExitStatus::from_signal(SIGKILL));
}

TEST_CASE("waiting for a descriptor outlasts signals") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const detail::os::Descriptor out{ends[0]};
    const detail::os::Descriptor in{ends[1]};
    {
        const Drizzle drizzle;
        const auto start = detail::Clock::now();
        CHECK_FALSE(detail::os::wait_readable(out.number(), detail::Deadline::after(50ms)));
        CHECK(detail::Clock::now() - start >= 50ms);
    }
    CHECK_FALSE(detail::os::wait_readable(out.number(), detail::Deadline::immediately()));
    REQUIRE(::write(in.number(), "x", 1) == 1);
    CHECK(detail::os::wait_readable(out.number(), detail::Deadline::immediately()));
    CHECK(detail::os::wait_readable(out.number(), detail::Deadline::never()));
}

TEST_CASE("a fork that is refused says why") {
    const Refusal refusal{"fork", EAGAIN};
    CHECK(detail::os::try_fork() == -1);
    CHECK(errno == EAGAIN);
}

TEST_CASE("who dies with its parent dies with it") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const detail::os::Descriptor out{ends[0]};
    {
        const detail::os::Descriptor in{ends[1]};
        CHECK(in_child([&] {
                  SharedPage page;
                  const Gate armed{page};
                  const pid_t parent = detail::os::this_process();
                  static_cast<void>(start_child([&] {
                      if (!detail::os::die_with_parent(parent)) { return 1; }
                      armed.set();
                      for (;;) { ::pause(); }
                      return 0;
                  }));
                  armed.wait();
                  return 0;
              }) == 0);
    }
    char byte = 0;
    REQUIRE(detail::os::wait_readable(out.number(), soon()));  // no process has the writing end any more
    CHECK(::read(out.number(), &byte, 1) == 0);
}

TEST_CASE("who asks to die with a parent that is gone learns so") {
    CHECK(in_child([] { return detail::os::die_with_parent(detail::os::parent_process() + 1) ? 1 : 0; }) == 0);
    const pid_t here = detail::os::this_process();
    CHECK(in_child([here] {
              return detail::os::die_with_parent(here) && detail::os::parent_process() == here ? 0 : 1;
          }) == 0);
}

TEST_CASE("a process has the name it gave itself and leads its group") {
    CHECK(in_child([] {
              detail::os::name_process("a name that is too long");
              std::array<char, 17> name{};
              ::prctl(PR_GET_NAME, name.data());
              if (std::string{name.data()} != "a name that is ") { return 1; }
              detail::os::lead_group(0);
              return ::getpgid(0) == ::getpid() ? 0 : 2;
          }) == 0);
}

TEST_CASE("who leaves runs nothing that was registered") {
    CHECK(in_child([] {
              std::atexit([] { ::_exit(50); });
              detail::os::leave(7);
              return 1;
          }) == 7);
}

TEST_CASE(
    "a child is watched and signalled although the program has closed its descriptor whatever has the number now") {
    const auto opened = GENERATE(
        +[] { return -1; }, +[] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); },
        +[] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); },
        +[] { return static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)); });
    SharedPage page;
    const Gate may_end{page};
    const pid_t pid = start_child([&] {
        may_end.wait();
        return 3;
    });
    int now = -1;
    {
        const detail::os::Child child{pid};
        const int number = child.descriptor();
        if (number < 0) { WARN("no pidfds here"); }
        if (number >= 0) {
            ::close(number);
            now = opened();
            CHECK((now == -1 || now == number));
            CHECK(child.descriptor() == -1);
        }
        CHECK_FALSE(child.has_ended());
        CHECK_FALSE(child.wait_for_end(detail::Deadline::after(10ms)));
        child.signal(SIGSTOP);
        siginfo_t info{};
        CHECK(::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED) == 0);
        child.signal(SIGCONT);
        bool ended = false;
        std::thread waiter{[&] { ended = child.wait_for_end(soon()); }};
        may_end.set();
        waiter.join();
        CHECK(ended);
        CHECK(child.has_ended());
        CHECK(child.reap() == ExitStatus::from_code(3));
    }
    if (now >= 0) { CHECK(::close(now) == 0); }  // it was left open
}

// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/children.hpp>

#include <procpool/os/process.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

// All of it is for a process that owns all its children and blocks its signals: here a child of the test.

namespace {

void block_child_signal() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
}

/// Waits for the signal of a child. Returns: whether it came.
bool child_signalled(const detail::os::Descriptor& signals) {
    return detail::os::wait_any_readable<1>({signals.number()}, detail::Deadline::after(20s))[0];
}

}  // namespace

TEST_CASE("the end of a child makes its parent's descriptor readable") {
    CHECK(in_child([] {
              block_child_signal();
              const detail::os::Descriptor signals = detail::os::watch_children();
              if (!signals) { return 1; }
              if (detail::os::wait_any_readable<1>({signals.number()}, detail::Deadline::immediately())[0]) {
                  return 2;
              }
              if (detail::os::ended_child()) { return 3; }
              const pid_t pid = start_child([] { return 7; });
              if (!child_signalled(signals)) { return 4; }
              detail::os::drain_signals(signals);
              if (detail::os::wait_any_readable<1>({signals.number()}, detail::Deadline::immediately())[0]) {
                  return 5;
              }

              const auto ended = detail::os::ended_child();
              if (!ended || ended->pid != pid || ended->status != ExitStatus::from_code(7)) { return 6; }
              const auto again = detail::os::ended_child();  // it keeps its number until it is reaped
              if (!again || again->pid != pid || ::kill(pid, 0) != 0) { return 7; }
              detail::os::reap(pid);
              return detail::os::ended_child() || ::kill(pid, 0) == 0 ? 8 : 0;
          }) == 0);
}

TEST_CASE("several children that end together are found one by one") {
    CHECK(in_child([] {
              block_child_signal();
              const detail::os::Descriptor signals = detail::os::watch_children();
              for (int code = 1; code <= 3; ++code) {
                  static_cast<void>(start_child([code] { return code; }));
              }
              int codes = 0;
              for (int found = 0; found < 3;) {
                  while (const auto ended = detail::os::ended_child()) {
                      codes += ended->status.code();
                      detail::os::reap(ended->pid);
                      ++found;
                  }
                  if (found < 3 && !child_signalled(signals)) { return 1; }
                  detail::os::drain_signals(signals);
              }
              return codes == 6 ? 0 : 2;
          }) == 0);
}

TEST_CASE("a process can wait until no child is left") {
    CHECK(in_child([] {
              for (int i = 0; i < 3; ++i) {
                  static_cast<void>(start_child([] {
                      ::usleep(2000);
                      return 0;
                  }));
              }
              detail::os::reap_all_children();
              return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD ? 0 : 1;
          }) == 0);
}

TEST_CASE("a signal to a group reaches what its leader started and a leader that left its group") {
    CHECK(in_child([] {
              SharedPage page;
              const Counter ready{page};
              int pipe_ends[2];
              if (::pipe(pipe_ends) != 0) { return 1; }
              const pid_t leader = start_child([&] {
                  detail::os::lead_group(0);
                  static_cast<void>(start_child([&] {
                      ready.add();
                      for (;;) { ::pause(); }
                      return 0;
                  }));
                  ready.wait_for(1);
                  ready.add();
                  for (;;) { ::pause(); }
                  return 0;
              });
              ::close(pipe_ends[1]);
              ready.wait_for(2);
              detail::os::signal_group(leader, SIGKILL);
              detail::os::reap(leader);
              // Its child is not ours to wait for; it holds the pipe as long as it lives.
              if (!detail::os::wait_readable(pipe_ends[0], detail::Deadline::after(20s))) { return 2; }
              char byte = 0;
              if (::read(pipe_ends[0], &byte, 1) != 0) { return 3; }

              const pid_t deserter = start_child([] {
                  for (;;) { ::pause(); }
                  return 0;
              });
              detail::os::signal_group(deserter, SIGKILL);
              detail::os::reap(deserter);
              return 0;
          }) == 0);
}

TEST_CASE("waiting for several descriptors tells which are readable; none is never readable") {
    const detail::os::Event one;
    const detail::os::Event two;
    const auto start = detail::Clock::now();
    CHECK(detail::os::wait_any_readable<3>({one.number(), two.number(), -1}, detail::Deadline::after(20ms)) ==
          std::array{false, false, false});
    CHECK(detail::Clock::now() - start >= 20ms);
    two.raise();
    CHECK(detail::os::wait_any_readable<3>({one.number(), two.number(), -1}, detail::Deadline::never()) ==
          std::array{false, true, false});
    one.raise();
    CHECK(detail::os::wait_any_readable<3>({one.number(), two.number(), -1}, detail::Deadline::immediately()) ==
          std::array{true, true, false});
}

TEST_CASE("a descriptor that is not open is never readable and does not end the wait") {
    const detail::os::Event event;
    const int closed = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(closed);
    CHECK(detail::os::wait_any_readable<2>({closed, event.number()}, detail::Deadline::after(1ms)) ==
          std::array{false, false});
    event.raise();
    CHECK(detail::os::wait_any_readable<2>({closed, event.number()}, detail::Deadline::never()) ==
          std::array{false, true});
    CHECK_FALSE(detail::os::wait_readable(closed, detail::Deadline::never()));
}

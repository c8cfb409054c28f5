// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/signals.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <csignal>

using namespace procpool;
using namespace procpool_test;

namespace {

volatile std::sig_atomic_t handled = 0;

bool is_blocked(int number) {
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return sigismember(&mask, number) == 1;
}

void (*action_of(int number))(int) {
    struct sigaction action {};
    ::sigaction(number, nullptr, &action);
    return action.sa_handler;
}

}  // namespace

TEST_CASE("signals that come while all are blocked are handled afterwards") {
    CHECK(in_child([] {
              std::signal(SIGUSR1, [](int) { handled = handled + 1; });
              {
                  const detail::os::AllSignalsBlocked blocked;
                  ::raise(SIGUSR1);
                  if (handled != 0 || !is_blocked(SIGTERM) || !is_blocked(SIGRTMAX)) { return 1; }
              }
              return handled == 1 && !is_blocked(SIGTERM) ? 0 : 2;
          }) == 0);
}

TEST_CASE("a signal that was blocked before stays blocked") {
    CHECK(in_child([] {
              sigset_t signals;
              sigemptyset(&signals);
              sigaddset(&signals, SIGUSR2);
              ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
              {
                  const detail::os::AllSignalsBlocked blocked;
                  const detail::os::AllSignalsBlocked nested;
              }
              if (!is_blocked(SIGUSR2) || is_blocked(SIGUSR1)) { return 1; }
              detail::os::unblock_all_signals();
              return is_blocked(SIGUSR2) ? 2 : 0;
          }) == 0);
}

TEST_CASE("no handler of the parent is left") {
    CHECK(in_child([] {
              const auto handler = [](int) {};
              std::signal(SIGUSR1, handler);
              std::signal(SIGSEGV, handler);
              std::signal(SIGCHLD, SIG_IGN);
              std::signal(SIGRTMAX, handler);
              detail::os::reset_all_signals();
              for (const int number : {SIGUSR1, SIGSEGV, SIGCHLD, SIGRTMAX, SIGPIPE}) {
                  if (action_of(number) != SIG_DFL) { return 1; }
              }
              detail::os::reset_signal(SIGINT, SIG_IGN);
              return action_of(SIGINT) == SIG_IGN ? 0 : 2;
          }) == 0);
}

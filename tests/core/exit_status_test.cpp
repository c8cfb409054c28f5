// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/exit_status.hpp>

#include "support/catch.hpp"

#include <csignal>

using procpool::ExitStatus;

TEST_CASE("an exit status is a code - a signal or unknown") {
    constexpr ExitStatus code = ExitStatus::from_code(3);
    CHECK(code.exited());
    CHECK_FALSE(code.signaled());
    CHECK(code.code() == 3);
    CHECK(code.signal() == 0);

    constexpr ExitStatus signal = ExitStatus::from_signal(SIGSEGV);
    CHECK_FALSE(signal.exited());
    CHECK(signal.signaled());
    CHECK(signal.code() == 0);
    CHECK(signal.signal() == SIGSEGV);

    CHECK_FALSE(ExitStatus{}.exited());
    CHECK_FALSE(ExitStatus{}.signaled());
}

TEST_CASE("exit statuses compare by kind and number") {
    CHECK(ExitStatus::from_code(9) == ExitStatus::from_code(9));
    CHECK(ExitStatus::from_code(9) != ExitStatus::from_code(8));
    CHECK(ExitStatus::from_code(9) != ExitStatus::from_signal(9));
    CHECK(ExitStatus::from_code(0) != ExitStatus{});
}

TEST_CASE("an exit status reads as a sentence") {
    CHECK(to_string(ExitStatus::from_code(3)) == "exited with code 3");
    CHECK(to_string(ExitStatus::from_signal(SIGRTMIN)) == "was killed by signal " + std::to_string(SIGRTMIN));
    CHECK(to_string(ExitStatus{}) == "ended in an unknown way");
}

TEST_CASE("the names of signals are those of this system") {
    const auto [number, name] = GENERATE(table<int, std::string>({
        {SIGHUP, "SIGHUP"},
        {SIGINT, "SIGINT"},
        {SIGQUIT, "SIGQUIT"},
        {SIGILL, "SIGILL"},
        {SIGTRAP, "SIGTRAP"},
        {SIGABRT, "SIGABRT"},
        {SIGBUS, "SIGBUS"},
        {SIGFPE, "SIGFPE"},
        {SIGKILL, "SIGKILL"},
        {SIGSEGV, "SIGSEGV"},
        {SIGPIPE, "SIGPIPE"},
        {SIGALRM, "SIGALRM"},
        {SIGTERM, "SIGTERM"},
        {SIGXCPU, "SIGXCPU"},
        {SIGSYS, "SIGSYS"},
    }));
    CHECK(to_string(ExitStatus::from_signal(number)) ==
          "was killed by signal " + std::to_string(number) + " (" + name + ")");
}

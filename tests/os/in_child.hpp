// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// in_child(): runs a part of a test in a forked child, where it may ruin the process. Catch's assertions do not work
/// there: return a number, and assert in the parent.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace procpool_test {

/// Returns: the child's wait status. Throws when it has not ended after `limit`; it is killed then.
inline int wait_for_child(pid_t child, std::chrono::seconds limit = std::chrono::seconds{20}) {
    const auto end = std::chrono::steady_clock::now() + limit;
    for (;;) {
        int status = 0;
        const pid_t ended = ::waitpid(child, &status, WNOHANG);
        if (ended == child) { return status; }
        if (ended < 0) { throw std::runtime_error("waitpid: no such child"); }
        if (std::chrono::steady_clock::now() >= end) {
            ::kill(child, SIGKILL);
            ::waitpid(child, &status, 0);
            throw std::runtime_error("a child process did not end in time");
        }
        ::usleep(200);
    }
}

/// Returns: the process number of a child that runs `function` and leaves with what it returns; 99 when it throws.
template <class Function>
pid_t start_child(Function function) {
    const pid_t child = ::fork();
    if (child < 0) { throw std::runtime_error("fork failed"); }
    if (child == 0) {
        int code = 99;
        try {
            code = function();
        } catch (const std::exception& e) { std::fprintf(stderr, "in_child: %s\n", e.what()); }
        ::_exit(code);
    }
    return child;
}

/// Returns: the result of `function` in a forked child, from 0 to 98; 128 + n when signal n ended it.
template <class Function>
int in_child(Function function, std::chrono::seconds limit = std::chrono::seconds{20}) {
    const int status = wait_for_child(start_child(function), limit);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace procpool_test

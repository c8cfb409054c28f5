// SPDX-License-Identifier: BSL-1.0
/// \file
/// startup: fork and waitpid, one after another, for as many processes as a pool has: the workers and one that looks
/// after them. And one fork by the parent, which is what replacing a worker costs without such a process.

#include "config.hpp"

#include <sys/wait.h>
#include <unistd.h>

namespace {

void fork_and_wait() {
    const pid_t child = ::fork();
    benchmarks::require(child >= 0, "fork");
    if (child == 0) { ::_exit(7); }
    int status = 0;
    ::waitpid(child, &status, 0);
    benchmarks::require(WIFEXITED(status) && WEXITSTATUS(status) == 7, "wrong status");
}

}  // namespace

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        for (const std::size_t size : startup::gigabytes(arguments)) {
            const startup::Ballast ballast{size << 30};
            startup::report_median(startup::in_parent(startup::up_and_down, size), arguments, [&] {
                return seconds([&] {
                    for (std::size_t i = 0; i < arguments.workers + 1; ++i) { fork_and_wait(); }
                });
            });
            if (size == 0) {
                startup::report_median(startup::growth, arguments, [] {
                    return seconds([] {
                        for (std::size_t i = 0; i < startup::grown; ++i) { fork_and_wait(); }
                    });
                });
            }
            startup::report_median(startup::in_parent(startup::respawn, size), arguments,
                                   [] { return seconds(fork_and_wait); });
        }
    });
}

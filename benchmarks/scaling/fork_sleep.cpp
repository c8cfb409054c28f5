// SPDX-License-Identifier: BSL-1.0
/// \file
/// scaling: forked processes that do nothing: the least that a worker process can cost.

#include "config.hpp"

#include <signal.h>
#include <sys/wait.h>

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        std::vector<pid_t> children;
        for (std::size_t i = 0; i < arguments.workers; ++i) {
            const pid_t child = ::fork();
            require(child >= 0, "fork");
            while (child == 0) { ::pause(); }
            children.push_back(child);
        }
        scaling::measure_idle(arguments);
        for (const pid_t child : children) {
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
        }
    });
}

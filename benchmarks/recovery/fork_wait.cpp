// SPDX-License-Identifier: BSL-1.0
/// \file
/// recovery: children that are killed, waited for and forked again, until one of the new ones says that it is there.

#include "config.hpp"

#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        require(page != MAP_FAILED, "mmap");
        auto* const here = static_cast<sem_t*>(page);
        ::sem_init(here, 1, 0);
        std::vector<pid_t> children(arguments.workers);
        const auto start = [&](pid_t& child) {
            child = ::fork();
            require(child >= 0, "fork");
            if (child == 0) {
                ::sem_post(here);
                for (;;) { ::pause(); }
            }
        };
        const auto end = [](pid_t child) {
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
        };
        for (pid_t& child : children) { start(child); }
        for (std::size_t i = 0; i < children.size(); ++i) { ::sem_wait(here); }
        recovery::report_median(arguments, [&] {
            const double took = seconds([&] {
                for (const pid_t child : children) { end(child); }
                for (pid_t& child : children) { start(child); }
                ::sem_wait(here);
            });
            for (std::size_t i = 1; i < children.size(); ++i) { ::sem_wait(here); }
            return took;
        });
        for (const pid_t child : children) { end(child); }
    });
}

// SPDX-License-Identifier: BSL-1.0
/// \file
/// wakeup: two processes that wake each other by a semaphore: the lower bound when both sleep.

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
        auto* const ping = static_cast<sem_t*>(page);
        sem_t* const pong = ping + 4;  // in another cache line
        ::sem_init(ping, 1, 0);
        ::sem_init(pong, 1, 0);
        const pid_t child = ::fork();
        require(child >= 0, "fork");
        while (child == 0) {
            ::sem_wait(ping);
            ::sem_post(pong);
        }
        wakeup::measure(arguments, [=] {
            ::sem_post(ping);
            require(::sem_wait(pong) == 0, "sem_wait");
        });
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    });
}

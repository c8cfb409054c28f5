// SPDX-License-Identifier: BSL-1.0
// Test cases that leave something behind, so that the leak check is seen to find it.
#include "catch.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

// The child of this process; the program's end takes it away.
void leak_child(bool as_zombie) {
    static pid_t child = 0;
    child = ::fork();
    if (child == 0) {
        if (!as_zombie) { ::pause(); }
        ::_exit(0);
    }
    if (as_zombie) {
        siginfo_t ended{};
        REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) == 0);
    }
    std::atexit([] {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    });
}

}  // namespace

TEST_CASE("nothing") { CHECK(true); }
TEST_CASE("descriptor") { CHECK(::open("/dev/null", O_RDONLY) >= 0); }
TEST_CASE("closed descriptor") { CHECK(::close(0) == 0); }
TEST_CASE("child") { leak_child(false); }
TEST_CASE("zombie") { leak_child(true); }
TEST_CASE("thread") {
    std::thread{[] { std::this_thread::sleep_for(std::chrono::seconds{30}); }}.detach();
}
TEST_CASE("mapping") {
    CHECK(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}
TEST_CASE("blocked signal") {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    CHECK(::pthread_sigmask(SIG_BLOCK, &one, nullptr) == 0);
}
TEST_CASE("ignored signal") { CHECK(std::signal(SIGUSR2, SIG_IGN) == SIG_DFL); }
TEST_CASE("handled signal") {
    CHECK(std::signal(SIGUSR2, [](int) {}) == SIG_DFL);
}
TEST_CASE("file") {
    static const std::string name = "/procpool-leaky-" + std::to_string(::getpid());
    const int file = ::shm_open(name.c_str(), O_CREAT | O_RDWR, 0600);
    REQUIRE(file >= 0);
    ::close(file);
    std::atexit([] { ::shm_unlink(name.c_str()); });
}

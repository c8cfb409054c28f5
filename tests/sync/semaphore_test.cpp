// SPDX-License-Identifier: BSL-1.0
#include <procpool/sync/semaphore.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <csignal>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <sys/time.h>
#include <thread>
#include <unistd.h>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// One T in shared memory that is all zero.
template <class T>
class Zeroed {
public:
    Zeroed() : memory_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        if (memory_ == MAP_FAILED) { throw std::bad_alloc{}; }
    }
    Zeroed(const Zeroed&) = delete;
    Zeroed& operator=(const Zeroed&) = delete;
    ~Zeroed() { ::munmap(memory_, sizeof(T)); }
    T& operator*() const { return *static_cast<T*>(memory_); }
    T* operator->() const { return static_cast<T*>(memory_); }

private:
    void* memory_;
};

Deadline soon() { return Deadline::after(20s); }

}  // namespace

TEST_CASE("all-zero memory is a semaphore for one process, and only reset() makes one for several") {
    const Zeroed<sync::Semaphore> zero;
    CHECK_FALSE(zero->wait(Deadline::immediately()));
    zero->post();
    CHECK(zero->wait(Deadline::immediately()));

    const Zeroed<sem_t> private_one;
    const Zeroed<sem_t> shared_one;
    ::sem_init(&*private_one, 0, 0);
    ::sem_init(&*shared_one, 1, 0);
    const Zeroed<sem_t> nothing;
    CHECK(std::memcmp(&*nothing, &*private_one, sizeof(sem_t)) == 0);
    // Were they equal, nobody would have to call reset().
    CHECK(std::memcmp(&*nothing, &*shared_one, sizeof(sem_t)) != 0);
    zero->reset();
    CHECK(std::memcmp(&*zero, &*shared_one, sizeof(sem_t)) == 0);
}

TEST_CASE("a semaphore counts") {
    const Zeroed<sync::Semaphore> semaphore;
    semaphore->reset();
    semaphore->post();
    semaphore->post();
    CHECK(semaphore->wait(Deadline::never()));
    CHECK(semaphore->wait(Deadline::immediately()));
    CHECK_FALSE(semaphore->wait(Deadline::immediately()));
    semaphore->post();
    semaphore->reset();
    CHECK_FALSE(semaphore->wait(Deadline::immediately()));
}

TEST_CASE("a post wakes a sleeper in another process at once") {
    const Zeroed<sync::Semaphore> there;
    const Zeroed<sync::Semaphore> back;
    there->reset();
    back->reset();
    constexpr int rounds = 2000;
    const pid_t child = start_child([&] {
        for (int i = 0; i < rounds; ++i) {
            if (!there->wait(soon())) { return 1; }
            back->post();
        }
        return 0;
    });
    int woken = 0;
    for (int i = 0; i < rounds; ++i) {
        there->post();
        if (!back->wait(soon())) { break; }
        ++woken;
    }
    CHECK(woken == rounds);
    CHECK(wait_for_child(child) == 0);
}

TEST_CASE("a wait ends at its deadline, not before") {
    const Zeroed<sync::Semaphore> semaphore;
    semaphore->reset();
    for (const auto timeout : {1ms, 20ms}) {
        const auto start = Clock::now();
        CHECK_FALSE(semaphore->wait(Deadline::after(timeout)));
        CHECK(Clock::now() - start >= timeout);
    }
    CHECK_FALSE(semaphore->wait(Deadline{Clock::time_point{-1ns}}));
}

TEST_CASE("signals do not end a wait") {
    const Zeroed<sync::Semaphore> semaphore;
    semaphore->reset();
    CHECK(in_child([&] {
              struct sigaction action {};
              action.sa_handler = [](int) {};
              ::sigaction(SIGALRM, &action, nullptr);
              const itimerval every{{0, 1000}, {0, 1000}};
              ::setitimer(ITIMER_REAL, &every, nullptr);
              const auto start = Clock::now();
              if (semaphore->wait(Deadline::after(50ms)) || Clock::now() - start < 50ms) { return 1; }
              const pid_t poster = start_child([&] {
                  ::usleep(30000);
                  semaphore->post();
                  return 0;
              });
              if (!semaphore->wait(Deadline::never())) { return 2; }
              return wait_for_child(poster);
          }) == 0);
}

TEST_CASE("threads meet at a semaphore", "[thread]") {
    const Zeroed<sync::Semaphore> semaphore;
    semaphore->reset();
    constexpr int posts = 5000;
    int woken = 0;
    std::thread sleeper{[&] {
        while (woken < posts && semaphore->wait(soon())) { ++woken; }
    }};
    for (int i = 0; i < posts; ++i) { semaphore->post(); }
    sleeper.join();
    CHECK(woken == posts);
}

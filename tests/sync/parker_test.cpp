// SPDX-License-Identifier: BSL-1.0
#include <procpool/sync/parker.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <random>
#include <thread>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// Parkers and a word in shared memory.
struct Shelf {
    std::array<detail::sync::Parker, 2> parkers;
    alignas(64) std::atomic<std::int64_t> value;
    std::atomic<std::int64_t> other;
};

class Shared {
public:
    Shared() : memory_(::mmap(nullptr, sizeof(Shelf), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        if (memory_ == MAP_FAILED) { throw std::bad_alloc{}; }
        for (detail::sync::Parker& parker : (*this)->parkers) { parker.reset(); }
    }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() { ::munmap(memory_, sizeof(Shelf)); }
    Shelf* operator->() const { return static_cast<Shelf*>(memory_); }
    detail::sync::Parker& operator[](std::size_t i) const { return (*this)->parkers[i]; }

private:
    void* memory_;
};

detail::Deadline soon() { return detail::Deadline::after(20s); }

/// The word of a parker, its first member, for a test that plays a notifier that is killed between its two steps.
std::atomic<std::uint32_t>& word_of(detail::sync::Parker& parker) {
    return *reinterpret_cast<std::atomic<std::uint32_t>*>(&parker);
}
constexpr std::uint32_t word_parked = 1;
constexpr std::uint32_t word_notified = 2;

std::uint64_t some_seed() { return std::random_device{}(); }

}  // namespace

TEST_CASE("a notification that comes first is kept - once") {
    const Shared shared;
    shared[0].notify();
    shared[0].notify();
    CHECK(shared[0].park(detail::Deadline::never()));
    CHECK_FALSE(shared[0].park(detail::Deadline::immediately()));
}

TEST_CASE("without a notification: park ends at its deadline") {
    const Shared shared;
    const auto start = detail::Clock::now();
    CHECK_FALSE(shared[0].park(detail::Deadline::after(20ms)));
    CHECK(detail::Clock::now() - start >= 20ms);
    CHECK_FALSE(shared[0].park(detail::Deadline::immediately()));
    shared[0].notify();  // a park that timed out leaves nothing behind
    CHECK(shared[0].park(detail::Deadline::never()));
}

TEST_CASE("two processes that wake each other in turn lose no wake-up") {
    constexpr std::int64_t rounds = 100'000;
    const Shared shared;
    const pid_t child = start_child([&] {
        for (std::int64_t i = 0; i < rounds; ++i) {
            while (shared->value.load() <= i) {
                if (!shared[1].park(soon())) { return 1; }
            }
            shared->other.store(i + 1);
            shared[0].notify();
        }
        return 0;
    });
    std::int64_t done = 0;
    while (done < rounds) {
        shared->value.store(done + 1);
        shared[1].notify();
        bool woken = true;
        while (woken && shared->other.load() <= done) { woken = shared[0].park(soon()); }
        if (!woken) { break; }
        ++done;
    }
    CHECK(done == rounds);
    CHECK(wait_for_child(child, 60s) == 0);
}

TEST_CASE("two threads that wake each other in turn lose no wake-up", "[thread]") {
    constexpr int rounds = 20'000;
    const Shared shared;
    // Not atomic: the parkers alone order the threads' accesses.
    int ball = 0;
    std::thread other{[&] {
        for (int i = 0; i < rounds; ++i) {
            if (!shared[1].park(soon())) { return; }
            ++ball;
            shared[0].notify();
        }
    }};
    bool woken = true;
    for (int i = 0; i < rounds && woken; ++i) {
        shared[1].notify();
        woken = shared[0].park(soon());
        if (ball != i + 1) { break; }
    }
    other.join();
    CHECK(ball == rounds);
}

TEST_CASE("a notification that races with a timeout is seen by this park or the next", "[thread]") {
    const std::uint64_t seed = some_seed();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    const Shared shared;
    std::atomic<std::int64_t> sent{0};
    std::atomic<std::int64_t> seen{0};
    constexpr std::int64_t rounds = 3000;
    std::thread notifier{[&, pause = std::mt19937_64{seed + 1}]() mutable {
        for (std::int64_t i = 1; i <= rounds; ++i) {
            const auto until = detail::Clock::now() + std::chrono::nanoseconds{pause() % 120'000};
            while (detail::Clock::now() < until) {}
            sent.store(i);
            shared[0].notify();
            while (seen.load() < i) { std::this_thread::yield(); }
        }
    }};
    int timeouts = 0;
    bool lost = false;
    for (std::int64_t i = 1; i <= rounds; ++i) {
        // Notified exactly once in each round: whatever the timing, one park returns true.
        bool notified = false;
        while (!notified) {
            const bool announced = sent.load() == i;
            notified = shared[0].park(detail::Deadline::after(std::chrono::nanoseconds{random() % 120'000}));
            timeouts += notified ? 0 : 1;
            if (announced && !notified) {  // notify() comes a moment after the announcement
                notified = shared[0].park(soon());
                if (!notified) {
                    lost = true;
                    notified = true;
                }
            }
        }
        seen.store(i);
    }
    notifier.join();
    CHECK_FALSE(lost);
    CHECK(timeouts > 0);
}

TEST_CASE("a notifier killed between its two steps leaves a sleeper that can be woken") {
    const Shared shared;
    const pid_t child = start_child([&] { return shared[0].park(detail::Deadline::never()) ? 0 : 1; });
    wait_until([&] { return word_of(shared[0]).load() == word_parked; }, "a sleeper");
    ::usleep(5000);                                                    // asleep in its semaphore, most likely
    CHECK(word_of(shared[0]).exchange(word_notified) == word_parked);  // the first step
    shared[0].notify();  // no other notification helps: it has been notified
    ::usleep(20000);
    CHECK(::waitpid(child, nullptr, WNOHANG) == 0);
    shared[0].notify_again_if_interrupted();
    CHECK(wait_for_child(child) == 0);
}

TEST_CASE("the repair of a notification does not wake who was not notified") {
    const Shared shared;
    shared[0].notify_again_if_interrupted();
    CHECK_FALSE(shared[0].park(detail::Deadline::after(5ms)));
    shared[0].notify();
    shared[0].notify_again_if_interrupted();  // not necessary; leaves a notification behind
    CHECK(shared[0].park(detail::Deadline::never()));
    const auto start = detail::Clock::now();
    CHECK_FALSE(shared[0].park(detail::Deadline::after(10ms)));
    CHECK(detail::Clock::now() - start >= 10ms);
}

TEST_CASE("a parker whose sleeper was killed in it works after reset") {
    const Shared shared;
    for (int round = 0; round < 20; ++round) {
        const pid_t sleeper = start_child([&] { return shared[0].park(detail::Deadline::never()) ? 0 : 1; });
        wait_until([&] { return word_of(shared[0]).load() == word_parked; }, "a sleeper");
        ::usleep(1000);
        ::kill(sleeper, SIGKILL);
        CHECK(WTERMSIG(wait_for_child(sleeper)) == SIGKILL);
        shared[0].reset();

        const Shared fresh;
        CHECK(std::memcmp(&shared[0], &fresh[0], sizeof(detail::sync::Parker)) == 0);  // no sleeper is counted
        CHECK_FALSE(shared[0].park(detail::Deadline::immediately()));
        const pid_t next = start_child([&] { return shared[0].park(soon()) ? 0 : 1; });
        shared[0].notify();
        CHECK(wait_for_child(next) == 0);
    }
}

TEST_CASE("what came before a notification is visible after it", "[thread]") {
    const Shared shared;
    std::array<int, 4> payload{};
    std::thread writer{[&] {
        payload = {1, 2, 3, 4};
        shared[0].notify();
    }};
    CHECK(shared[0].park(soon()));
    CHECK(payload == std::array{1, 2, 3, 4});
    writer.join();
}

TEST_CASE("many notifiers and one sleeper: the last notification is never lost", "[thread]") {
    const Shared shared;
    std::atomic<int> work{0};
    constexpr int each = 2000;
    std::array<std::thread, 3> notifiers;
    for (std::thread& thread : notifiers) {
        thread = std::thread{[&] {
            for (int i = 0; i < each; ++i) {
                work.fetch_add(1);
                shared[0].notify();
            }
        }};
    }
    bool woken = true;
    while (woken && work.load() < 3 * each) { woken = shared[0].park(soon()); }
    for (std::thread& thread : notifiers) { thread.join(); }
    CHECK(woken);
}

TEST_CASE("whoever sleeps wakes though the word has been overwritten") {
    const Shared shared;
    for (const std::uint32_t wrong : {0U, 2U, 3U, 0xffffffffU}) {
        const pid_t child = start_child([&] { return shared[0].park(detail::Deadline::never()) ? 0 : 1; });
        wait_until([&] { return word_of(shared[0]).load() == word_parked; }, "a sleeper");
        word_of(shared[0]).store(wrong);
        shared[0].rouse();
        CHECK(wait_for_child(child) == 0);
        CHECK_FALSE(shared[0].park(detail::Deadline::immediately()));
    }
}

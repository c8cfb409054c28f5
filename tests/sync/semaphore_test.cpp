// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared.hpp>
#include <procpool/sync/bounded_semaphore.hpp>
#include <procpool/sync/semaphore.hpp>

#include "support/catch.hpp"
#include "sync/crowd.hpp"

#include <array>
#include <atomic>
#include <optional>
#include <stdexcept>
#include <thread>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

TEST_CASE("a semaphore counts its permits") {
    const Shared<Semaphore> semaphore{2};
    CHECK(semaphore->was_value() == 2);
    semaphore->acquire();
    CHECK(semaphore->try_acquire());
    CHECK_FALSE(semaphore->try_acquire());
    CHECK_FALSE(semaphore->try_acquire_for(0s));
    CHECK_FALSE(semaphore->try_acquire_for(2ms));
    CHECK_FALSE(semaphore->try_acquire_until(std::chrono::system_clock::now() + 1ms));
    CHECK(word_of(*semaphore).load() == 0);  // one that gives up takes its bit along
    CHECK(in_child([&] {
              semaphore->release(3);
              return 0;
          }) == 0);
    semaphore->release(0);
    CHECK(semaphore->was_value() == 3);
    CHECK(semaphore->try_acquire_for(1min));
    CHECK(semaphore->try_acquire_until(std::chrono::steady_clock::now()));
    CHECK(semaphore->was_value() == 1);
}

TEST_CASE("a semaphore has limits") {
    CHECK_THROWS_WITH(Shared<Semaphore>{-1}, "procpool: a Semaphore has at most 1073741823 permits, not -1");
    CHECK_THROWS_AS(Shared<Semaphore>{std::ptrdiff_t{Semaphore::most} + 1}, std::invalid_argument);
    const Shared<Semaphore> full{Semaphore::most};
    CHECK_THROWS_AS(full->release(), std::logic_error);
    CHECK(full->was_value() == Semaphore::most);
    full->acquire();
    CHECK_THROWS_AS(full->release(2), std::logic_error);
    full->release();
    CHECK_THROWS_AS(Semaphore{1}, std::logic_error);
}

TEST_CASE("each release wakes as many as it has permits") {
    const Shared<Semaphore> semaphore{0};
    const Shared<std::atomic<int>> passed{0};
    Crowd crowd;
    crowd.add_asleep(6, [&] {
        semaphore->acquire();
        ++*passed;
        return 0;
    });
    int expected = 0;
    for (const unsigned n : {1U, 2U, 3U}) {
        semaphore->release(n);
        expected += static_cast<int>(n);
        wait_until([&] { return passed->load() >= expected; }, "those released");
        CHECK(semaphore->was_value() == 0);
    }
    CHECK(crowd.count_good() == 6);
    CHECK(passed->load() == 6);
}

TEST_CASE("a release of thousands arrives whole while one sleeps") {
    const Shared<Semaphore> semaphore{0};
    for (const unsigned n : {500U, 501U, 1001U, 12345U}) {
        Crowd crowd;
        crowd.add_asleep(2, [&] {
            semaphore->acquire();
            return 0;
        });
        semaphore->release(n);
        CHECK(crowd.count_good() == 2);
        CHECK(semaphore->was_value() == n - 2);
        while (semaphore->try_acquire()) {}
    }
}

TEST_CASE("permits are neither lost nor made among processes that all take and give") {
    constexpr int each = 3000;
    const Shared<Semaphore> semaphore{2};
    const Shared<std::atomic<int>> inside{0};
    Crowd crowd;
    for (int i = 0; i < 4; ++i) {
        crowd.add([&] {
            for (int n = 0; n < each; ++n) {
                semaphore->acquire();
                if (inside->fetch_add(1) >= 2) { return 1; }
                --*inside;
                semaphore->release();
            }
            return 0;
        });
    }
    CHECK(crowd.count_good() == 4);
    CHECK(semaphore->was_value() == 2);
}

TEST_CASE("a permit that comes at the deadline is taken or left", "[thread]") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    const Shared<Semaphore> semaphore{0};
    std::atomic<int> round{0};
    constexpr int rounds = 1000;
    std::thread releaser{[&, pause = std::mt19937_64{seed + 1}]() mutable {
        for (int i = 1; i <= rounds; ++i) {
            while (round.load() < i) { std::this_thread::yield(); }
            dawdle(pause, 100'000);
            semaphore->release();
        }
    }};
    bool all = true;
    int late = 0;
    for (int i = 1; i <= rounds; ++i) {
        round.store(i);
        if (!semaphore->try_acquire_for(std::chrono::nanoseconds{random() % 100'000})) {
            ++late;
            all = all && semaphore->try_acquire_for(20s);
        }
    }
    releaser.join();
    CHECK(all);
    CHECK(late > 0);
    CHECK(semaphore->was_value() == 0);
}

TEST_CASE("what came before a release is visible to the one that takes the permit", "[thread]") {
    constexpr int rounds = 5000;
    const Shared<Semaphore> ping{0};
    const Shared<BoundedSemaphore> pong{1};
    pong->acquire();
    int ball = 0;  // not atomic
    std::thread other{[&] {
        for (int i = 0; i < rounds; ++i) {
            ping->acquire();
            ++ball;
            pong->release();
        }
    }};
    bool in_time = true;
    for (int i = 0; i < rounds && in_time; ++i) {
        ping->release();
        in_time = pong->try_acquire_for(20s) && ball == i + 1;
    }
    other.join();
    CHECK(ball == rounds);
}

TEST_CASE("one of three that wait for a semaphore is killed: the others get their permits") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    for (int round = 0; round < 100; ++round) {
        const Shared<Semaphore> semaphore{0};
        Crowd crowd;
        for (int i = 0; i < 3; ++i) {
            crowd.add([&] {
                semaphore->acquire();  // no time limit helps
                return 0;
            });
        }
        const pid_t victim = crowd[random() % 3];
        if (round % 4 != 0) { wait_until_asleep(victim); }
        if (round % 2 == 0) {  // before it is woken, or meanwhile
            crowd.kill(victim);
            semaphore->release();
        } else {
            semaphore->release();
            dawdle(random, 60'000);
            crowd.kill(victim);
        }
        semaphore->release(2);
        REQUIRE(crowd.count_good() == 2);
        REQUIRE(semaphore->was_value() <= 1);
    }
}

TEST_CASE("those that wait for a semaphore that is destroyed are told") {
    std::optional<Shared<Semaphore>> semaphore{std::in_place, 0};
    std::optional<Shared<BoundedSemaphore>> bounded{std::in_place, 1};
    Semaphore* const s = semaphore->get();
    BoundedSemaphore* const b = bounded->get();
    b->acquire();
    Crowd crowd;
    crowd.add_asleep(3, [&] { return refused([&] { s->acquire(); }); });
    crowd.add_asleep(2, [&] { return refused([&] { static_cast<void>(b->try_acquire_for(1min)); }); });
    semaphore.reset();
    bounded.reset();
    CHECK(crowd.count_good() == 5);
}

TEST_CASE("a bounded semaphore is not released beyond its bound") {
    CHECK_THROWS_AS(Shared<BoundedSemaphore>{0}, std::invalid_argument);
    CHECK_THROWS_AS(Shared<BoundedSemaphore>{-1}, std::invalid_argument);
    const Shared<BoundedSemaphore> semaphore{3};
    CHECK_THROWS_WITH(semaphore->release(),
                      "procpool: a BoundedSemaphore of 3 permits was released too often: 3 were free, and 1 came back");
    CHECK(semaphore->was_value() == 3);
    semaphore->acquire();
    CHECK(semaphore->try_acquire());
    CHECK_THROWS_AS(semaphore->release(3), std::logic_error);
    CHECK(semaphore->was_value() == 1);
    semaphore->release(2);
    CHECK(semaphore->try_acquire_until(std::chrono::steady_clock::now()));
    CHECK(semaphore->was_value() == 2);
}

TEST_CASE("of many that release a bounded semaphore at once as many are told as there are too many") {
    const Shared<BoundedSemaphore> semaphore{50};
    for (int i = 0; i < 50; ++i) { semaphore->acquire(); }
    const Shared<std::atomic<int>> told{0};
    Crowd crowd;
    for (int i = 0; i < 3; ++i) {
        crowd.add([&] {
            for (int n = 0; n < 30; ++n) {
                *told += refused([&] { semaphore->release(); }) == 0 ? 1 : 0;
            }
            return 0;
        });
    }
    CHECK(crowd.count_good() == 3);
    CHECK(semaphore->was_value() == 50);
    CHECK(told->load() == 40);
}

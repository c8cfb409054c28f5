// SPDX-License-Identifier: BSL-1.0
// Every wait: signals do not end it, and neither the dead nor those that gave up take a wake-up along.
#include <procpool/shm/shared.hpp>
#include <procpool/sync/barrier.hpp>
#include <procpool/sync/bounded_semaphore.hpp>
#include <procpool/sync/condition.hpp>
#include <procpool/sync/event.hpp>
#include <procpool/sync/guarded.hpp>
#include <procpool/sync/latch.hpp>
#include <procpool/sync/mutex.hpp>
#include <procpool/sync/permits.hpp>
#include <procpool/sync/semaphore.hpp>

#include "support/catch.hpp"
#include "support/interrupted.hpp"
#include "sync/crowd.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

TEST_CASE("signals at 1 kHz neither end a wait nor keep it from ending") {
    const Shared<std::atomic<int>> count{0};
    signals = count.get();
    const Shared<Event> event;
    const Shared<Latch> latch{1};
    const Shared<Semaphore> semaphore{0};
    const Shared<Barrier> barrier{2};
    const Shared<Permits> permits{1};
    std::optional<Permits::Permit> mine = permits->acquire();
    const Shared<std::atomic<int>> step{0};
    Crowd crowd;
    crowd.add([&] {
        interrupt_every_millisecond();
        event->wait();
        ++*step;
        latch->wait();
        ++*step;
        semaphore->acquire();
        ++*step;
        barrier->arrive_and_wait();
        ++*step;
        const Permits::Permit permit = permits->acquire();
        return event->wait_for(0s) ? 0 : 1;
    });
    const std::array<std::function<void()>, 5> ends{[&] { event->set(); }, [&] { latch->count_down(); },
                                                    [&] { semaphore->release(); }, [&] { barrier->arrive_and_wait(); },
                                                    [&] { mine.reset(); }};
    for (int i = 0; i < 5; ++i) {
        const int before = count->load();
        wait_until([&] { return count->load() >= before + 5; }, "signals");
        REQUIRE(step->load() == i);
        ends[static_cast<std::size_t>(i)]();
        if (i < 4) {
            wait_until([&] { return step->load() == i + 1; }, "the next wait");
        }
    }
    CHECK(crowd.count_good() == 1);
}

TEST_CASE("signals at 1 kHz in all processes change nothing about what they do together") {
    constexpr int processes = 3;
    constexpr int rounds = 200;
    struct Place {
        Mutex mutex;
        Condition changed;
        int turn = 0;
        std::array<long, 5> sums{};
        Guarded<long> first{0};
        Guarded<long> second{0};
        Semaphore semaphore{1};
        BoundedSemaphore bounded{1};
        Permits permits{1};
        Barrier barrier{processes};
        Latch latch{processes * rounds};
        Event event;
    };
    const Shared<Place> place;
    const auto work = [&](int number) {
        interrupt_every_millisecond();
        auto& [mutex, changed, turn, sums, first, second, semaphore, bounded, permits, barrier, latch, event] = *place;
        for (int round = 0; round < rounds; ++round) {
            {
                std::unique_lock lock{mutex};
                changed.wait(lock, [&] { return turn == number; });
                turn = (turn + 1) % processes;
                ++sums[0];
            }
            changed.notify_all();
            with_all(number == 0 ? first : second, number == 0 ? second : first, [](long& a, long& b) {
                ++a;
                ++b;
            });
            semaphore.acquire();
            ++sums[1];
            semaphore.release();
            bounded.acquire();
            ++sums[2];
            bounded.release();
            {
                const Permits::Permit permit = permits.acquire();
                ++sums[3];
            }
            if (barrier.arrive_and_wait() == 0) { ++sums[4]; }
            latch.count_down();
        }
        event.wait();
        return 0;
    };
    Crowd crowd;
    for (int number = 0; number < processes; ++number) {
        crowd.add([&, number] { return work(number); });
    }
    CHECK(place->latch.wait_for(wait_limit));
    place->event.set();
    CHECK(crowd.count_good() == processes);
    CHECK(place->sums ==
          std::array<long, 5>{processes * rounds, processes * rounds, processes * rounds, processes * rounds, rounds});
    CHECK(place->first.load() == processes * rounds);
    CHECK(place->second.load() == processes * rounds);
}

TEST_CASE("what waits by a lock whose bytes have been overwritten throws") {
    const auto refuses = [](auto f) {
        try {
            f();
        } catch (const std::system_error& error) { return error.code() == std::errc::state_not_recoverable; }
        return false;
    };
    const auto overwrite = [](auto& object, std::size_t offset, std::size_t size) {
        std::memset(reinterpret_cast<std::byte*>(&object) + offset, 0xff, size);
    };
    constexpr std::size_t size = sizeof(detail::sync::RobustLock);
    const Shared<Semaphore> semaphore{0};
    overwrite(*semaphore, detail::apart, size);
    CHECK(refuses([&] { semaphore->acquire(); }));
    CHECK(refuses([&] { static_cast<void>(semaphore->try_acquire_for(1min)); }));
    const Shared<BoundedSemaphore> bounded{1};
    bounded->acquire();
    overwrite(*bounded, sizeof *semaphore, sizeof *bounded - sizeof *semaphore);
    CHECK(refuses([&] { bounded->release(); }));
    const Shared<Permits> permits{1};
    const Permits::Permit mine = permits->acquire();
    overwrite(*permits, detail::apart, size);
    CHECK(refuses([&] { static_cast<void>(permits->acquire()); }));
    const Shared<Barrier> barrier{1};
    overwrite(*barrier, detail::apart, size);
    CHECK(refuses([&] { barrier->arrive_and_wait(); }));
    CHECK(refuses([&] { barrier->reset(); }));
    const Shared<Latch> latch{1};
    CHECK_FALSE(latch->wait_for(1us));
    word_of(*latch).fetch_or(asleep_bit);
    overwrite(*latch, sizeof *latch - size, size);
    CHECK(refuses([&] { latch->count_down(); }));
}

TEST_CASE("SYN-11 one of three that wait for an event is killed at any time: the others go on and it is as new") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    const Shared<Event> event;
    for (int round = 0; round < 100; ++round) {
        const Shared<Latch> latch{1};
        Crowd crowd;
        for (int i = 0; i < 3; ++i) {
            crowd.add([&] {
                event->wait();
                latch->wait();
                return 0;
            });
        }
        const pid_t victim = crowd[random() % 3];
        if (round % 4 != 0) { wait_until_asleep(victim); }
        if (round % 2 == 0) { crowd.kill(victim); }
        event->set();
        if (round % 2 == 1) {
            dawdle(random, 60'000);
            crowd.kill(victim);
        }
        latch->count_down();
        REQUIRE(crowd.count_good() == 2);
        event->clear();
    }
}

TEST_CASE("SYN-09 those whose time ran out take no wake-up of those that come later", "[thread]") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    const Shared<Event> event;
    const Shared<Semaphore> semaphore{0};
    for (int round = 0; round < 30; ++round) {
        std::array<std::thread, 3> ghosts;
        std::atomic<int> taken{0};
        for (std::thread& ghost : ghosts) {
            ghost = std::thread{[&, time = std::chrono::nanoseconds{random() % 300'000}] {
                static_cast<void>(event->wait_for(time));
                taken += semaphore->try_acquire_for(time) ? 1 : 0;
            }};
        }
        dawdle(random, 300'000);
        event->set();
        event->clear();
        semaphore->release();
        for (std::thread& ghost : ghosts) { ghost.join(); }
        std::atomic<int> woken{0};
        std::array<std::thread, 3> others;
        for (std::thread& other : others) {
            other = std::thread{[&] {
                if (event->wait_for(wait_limit) && semaphore->try_acquire_for(wait_limit)) { ++woken; }
            }};
        }
        event->set();
        semaphore->release(2U + static_cast<unsigned>(taken.load()));
        for (std::thread& other : others) { other.join(); }
        event->clear();
        REQUIRE(woken == 3);
        REQUIRE(semaphore->was_value() == 0);
    }
}

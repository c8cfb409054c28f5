// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared.hpp>
#include <procpool/sync/event.hpp>
#include <procpool/sync/latch.hpp>

#include "support/catch.hpp"
#include "sync/crowd.hpp"

#include <array>
#include <atomic>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include <sys/mman.h>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

TEST_CASE("an event is set and cleared and waited for") {
    const Shared<Event> event;
    CHECK_FALSE(event->is_set());
    CHECK_FALSE(event->wait_for(0s));
    CHECK_FALSE(event->wait_for(-1s));
    CHECK(word_of(*event).load() == 0);  // a look leaves nothing behind
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(event->wait_for(5ms));
    CHECK(std::chrono::steady_clock::now() - start >= 5ms);
    CHECK_FALSE(event->wait_until(std::chrono::system_clock::now() + 1ms));
    CHECK_FALSE(event->wait_until(std::chrono::steady_clock::now() - 1h));
    CHECK(in_child([&] {
              event->set();
              return 0;
          }) == 0);
    CHECK(event->is_set());
    event->wait();
    CHECK(event->wait_for(0s));
    CHECK(event->wait_until(std::chrono::system_clock::time_point{}));
    event->set();
    event->clear();
    event->clear();
    CHECK_FALSE(event->is_set());
    CHECK_FALSE(event->wait_for(0s));
}

TEST_CASE("set and clear at once release all that sleep - a thousand times") {
    constexpr int rounds = 1000;
    constexpr int sleepers = 2;
    const Shared<Event> event;
    const Shared<std::atomic<int>> turn{0};
    const Shared<std::atomic<int>> woken{0};
    Crowd crowd;
    std::vector<std::string> files;
    for (int i = 0; i < sleepers; ++i) {
        const pid_t pid = crowd.add([&] {
            for (int round = 1; round <= rounds; ++round) {
                while (turn->load() < round) { std::this_thread::yield(); }
                event->wait();
                ++*woken;
            }
            return 0;
        });
        files.push_back("/proc/" + std::to_string(pid) + "/stat");
    }
    for (int round = 1; round <= rounds; ++round) {
        turn->store(round);
        for (const std::string& file : files) {
            while (!sleeps(file)) { std::this_thread::yield(); }
        }
        event->set();
        event->clear();
        const auto limit = std::chrono::steady_clock::now() + wait_limit;
        while (woken->load() < round * sleepers && std::chrono::steady_clock::now() < limit) {
            std::this_thread::yield();
        }
        REQUIRE(woken->load() == round * sleepers);
    }
    CHECK(crowd.count_good() == sleepers);
}

TEST_CASE("an event wakes a thousand threads") {
    const Shared<Event> event;
    std::atomic<int> woken{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 1000; ++i) {
        threads.emplace_back([&] {
            event->wait();
            ++woken;
        });
    }
    wait_until([&] { return word_of(*event).load() == asleep_bit; }, "a sleeper");
    CHECK(woken == 0);
    event->set();
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(woken == 1000);
}

TEST_CASE("what a thread did before set() is visible to one that takes the flag back", "[thread]") {
    constexpr int each = 5000;
    const Shared<Event> event;
    std::atomic<int> work{0};
    int sum = 0;  // of all threads, one after the other
    std::array<std::thread, 2> producers;
    for (std::thread& producer : producers) {
        producer = std::thread{[&] {
            for (int i = 0; i < each; ++i) {
                work.fetch_add(1, std::memory_order_relaxed);
                event->set();  // mostly set already
            }
        }};
    }
    bool in_time = true;
    while (in_time && sum < 2 * each) {
        in_time = event->wait_for(20s);
        event->clear();
        sum += work.exchange(0, std::memory_order_relaxed);
    }
    for (std::thread& producer : producers) { producer.join(); }
    CHECK(sum == 2 * each);
}

TEST_CASE("a set() of an event that is set already publishes what came before to the one that clears it", "[thread]") {
    // The order that the processors of this machine keep anyway, so it is ThreadSanitizer that looks at it.
    const Shared<Event> event;
    std::atomic<bool> is_set_again{false};
    int told = 0;
    std::thread setter{[&] {
        event->set();
        told = 1;
        event->set();
        is_set_again.store(true, std::memory_order_relaxed);  // orders nothing
    }};
    wait_until([&] { return is_set_again.load(std::memory_order_relaxed); }, "the second set()");
    event->clear();
    CHECK(told == 1);
    setter.join();
}

TEST_CASE("what came before an event or a latch is visible to those that slept", "[thread]") {
    const Shared<Event> event;
    const Shared<Latch> latch{2};
    int told = 0;
    std::array<int, 2> parts{};
    std::thread sleeper{[&] {
        event->wait();
        parts[0] = told;
        latch->count_down();
    }};
    std::thread other{[&] {
        parts[1] = 2;
        latch->count_down();
    }};
    wait_until([&] { return word_of(*event).load() == asleep_bit; }, "a sleeper");
    told = 1;
    event->set();
    latch->wait();
    CHECK(parts == std::array{1, 2});
    sleeper.join();
    other.join();
}

TEST_CASE("the bit of a killed sleeper or of one that gave up costs nobody a wake-up") {
    const Shared<Event> event;
    for (int round = 0; round < 20; ++round) {
        {
            Crowd killed;
            killed.add_asleep(1, [&] { return event->wait_for(1min) ? 1 : 2; });
        }
        CHECK((word_of(*event).load() & asleep_bit) != 0);
        CHECK_FALSE(event->wait_for(1us));
        if (round % 2 == 0) {
            event->set();
            event->clear();
            CHECK((word_of(*event).load() & asleep_bit) == 0);
        }
        Crowd crowd;
        crowd.add_asleep(2, [&] {
            event->wait();
            return 0;
        });
        event->set();
        CHECK(crowd.count_good() == 2);
        event->clear();
    }
}

TEST_CASE("an event's generations begin again after the last") {
    const Shared<Event> event;
    constexpr std::uint32_t generation = 8;
    word_of(*event).store(0U - 2 * generation);
    for (int round = 0; round < 4; ++round) {
        Crowd crowd;
        crowd.add_asleep(2, [&] {
            event->wait();
            return 0;
        });
        event->set();
        event->clear();
        CHECK(crowd.count_good() == 2);
        CHECK_FALSE(event->wait_for(0s));
    }
    CHECK(word_of(*event).load() == 2 * generation);
}

TEST_CASE("those that wait for an event or a latch that is destroyed are told") {
    std::optional<Shared<Event>> event{std::in_place};
    std::optional<Shared<Latch>> latch{std::in_place, 2};
    Event* const e = event->get();
    Latch* const l = latch->get();
    Crowd crowd;
    crowd.add_asleep(2, [&] { return refused([&] { e->wait(); }); });
    crowd.add_asleep(2, [&] { return refused([&] { l->wait(); }); });
    event.reset();
    latch.reset();
    CHECK(crowd.count_good() == 4);
}

TEST_CASE("an event that was set before it is destroyed releases its sleepers") {
    std::optional<Shared<Event>> event{std::in_place};
    Event* const e = event->get();
    Crowd crowd;
    crowd.add_asleep(2, [&] {
        e->wait();
        return 0;
    });
    event->get()->set();
    event.reset();
    CHECK(crowd.count_good() == 2);
}

TEST_CASE("an event or a latch that processes would not share is refused") {
    CHECK_THROWS_WITH(Event{},
                      "procpool: an Event in memory that only this process has is another one in each process: "
                      "write Shared<Event>, or make it a member of what is Shared");
    CHECK_THROWS_AS(Latch{3}, std::logic_error);
    void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    auto* const event = ::new (memory) Event;
    CHECK(in_child([&] {
              event->set();
              return 0;
          }) == 0);
    CHECK(event->is_set());
    event->~Event();
    ::munmap(memory, 4096);
}

TEST_CASE("a latch opens at zero and says what goes below it") {
    const Shared<Latch> latch{5};
    CHECK_FALSE(latch->try_wait());
    CHECK_FALSE(latch->wait_for(0s));
    CHECK_FALSE(latch->arrive_and_wait_for(1ms));
    CHECK_FALSE(latch->arrive_and_wait_until(std::chrono::system_clock::now()));
    CHECK_THROWS_WITH(latch->count_down(4), "procpool: a Latch that stands at 3 cannot be counted down by 4");
    CHECK_THROWS_AS(latch->count_down(-1), std::logic_error);
    Crowd crowd;
    crowd.add_asleep(3, [&] {
        latch->wait();
        return 0;
    });
    latch->count_down();
    CHECK_FALSE(latch->wait_until(std::chrono::steady_clock::now() + 1ms));
    latch->arrive_and_wait(2);
    CHECK(crowd.count_good() == 3);
    CHECK(latch->try_wait());
    CHECK(latch->wait_until(std::chrono::steady_clock::now()));
    latch->count_down(0);
    CHECK_THROWS_AS(latch->count_down(), std::logic_error);
}

TEST_CASE("a latch has limits") {
    CHECK_THROWS_AS(Shared<Latch>{-1}, std::invalid_argument);
    CHECK_THROWS_AS(Shared<Latch>{Latch::most + 1}, std::invalid_argument);
    const Shared<Latch> open{0};
    open->wait();
    const Shared<Latch> high{Latch::most};
    Crowd crowd;
    crowd.add_asleep(1, [&] {
        high->wait();
        return 0;
    });
    high->count_down(Latch::most - 1);
    CHECK_FALSE(high->try_wait());
    high->count_down();
    CHECK(crowd.count_good() == 1);
}

TEST_CASE("of many that count a latch down at a time as many are told as there are too many") {
    constexpr int count = 2000;
    for (const bool sleeper : {false, true}) {
        CAPTURE(sleeper);
        const Shared<Latch> latch{count};
        const Shared<std::atomic<int>> counted{0};
        Crowd crowd;
        if (sleeper) {
            crowd.add_asleep(2, [&] {
                latch->wait();
                return 0;
            });
        }
        for (int i = 0; i < 4; ++i) {
            crowd.add([&] {
                return refused([&] {
                    for (;;) {
                        latch->count_down();
                        ++*counted;
                    }
                });
            });
        }
        CHECK(crowd.count_good() == (sleeper ? 6 : 4));
        CHECK(counted->load() == count);
    }
}

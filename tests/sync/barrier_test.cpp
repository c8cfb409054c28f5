// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/error.hpp>
#include <procpool/shm/shared.hpp>
#include <procpool/sync/barrier.hpp>

#include "support/catch.hpp"
#include "sync/crowd.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace procpool;
using namespace std::chrono_literals;
using procpool_test::Crowd;
using procpool_test::in_child;
using procpool_test::refused;
using procpool_test::wait_until;
using procpool_test::wait_until_asleep;
using procpool_test::word_of;

namespace {

/// Returns: 0 when the call throws BrokenBarrier.
template <class Call>
int broken(Call call) {
    try {
        call();
    } catch (const BrokenBarrier&) { return 0; }
    return 1;
}

int arrive(Barrier& barrier) {
    barrier.arrive_and_wait();
    return 0;
}

}  // namespace

TEST_CASE("parties go on together again and again - each with a number of its own") {
    constexpr unsigned parties = 5;
    constexpr unsigned passes = 300;
    const Shared<Barrier> barrier{parties};
    struct Rows {
        std::array<std::atomic<unsigned>, passes> numbers;
        std::atomic<int> ahead;
    };
    const Shared<Rows> rows;
    Crowd crowd;
    for (unsigned party = 0; party < parties; ++party) {
        crowd.add([&] {
            for (unsigned pass = 0; pass < passes; ++pass) {
                const unsigned number = barrier->arrive_and_wait();
                rows->numbers[pass] += 1U << (4 * number);
                if (pass > 0 && rows->numbers[pass - 1] != 0x11111) { ++rows->ahead; }
            }
            return 0;
        });
    }
    CHECK(crowd.count_good() == parties);
    CHECK(std::all_of(rows->numbers.begin(), rows->numbers.end(), [](unsigned all) { return all == 0x11111; }));
    CHECK(rows->ahead == 0);
}

TEST_CASE("threads and processes meet at a barrier", "[thread]") {
    const Shared<Barrier> barrier{3};
    int written = 0;
    std::array<int, 2> read{};
    std::array<std::thread, 2> threads;
    for (std::size_t i = 0; i < threads.size(); ++i) {
        threads[i] = std::thread{[&, i] {
            barrier->arrive_and_wait();
            read[i] = written;
            barrier->arrive_and_wait();
        }};
    }
    written = 7;
    barrier->arrive_and_wait();
    barrier->arrive_and_wait();
    CHECK(read == std::array{7, 7});
    for (std::thread& thread : threads) { thread.join(); }
#ifndef __SANITIZE_THREAD__
    Crowd crowd;
    crowd.add_asleep(1, [&] { return arrive(*barrier); });
    std::thread thread{[&] { barrier->arrive_and_wait(); }};
    barrier->arrive_and_wait();
    thread.join();
    CHECK(crowd.count_good() == 1);
#endif
}

TEST_CASE("a barrier of one is passed at once - with its completion function each time") {
    static int completed = 0;
    completed = 0;
    const Shared<Barrier> barrier{1, [] { ++completed; }};
    for (int pass = 0; pass < 1000; ++pass) { CHECK(barrier->arrive_and_wait() == 0); }
    CHECK(completed == 1000);
    CHECK(barrier->arrive_and_wait_for(0s) == 0);
    CHECK(barrier->arrive_and_wait_until(std::chrono::system_clock::now()) == 0);
}

TEST_CASE("the completion function runs once before any party goes on") {
    static std::atomic<int>* completed = nullptr;
    const Shared<std::atomic<int>> count{0};
    completed = count.get();
    const Shared<Barrier> barrier{3, [] { ++*completed; }};
    Crowd crowd;
    for (int i = 0; i < 3; ++i) {
        crowd.add([&] {
            for (int pass = 1; pass <= 100; ++pass) {
                barrier->arrive_and_wait();
                if (completed->load() != pass) { return 1; }
            }
            return 0;
        });
    }
    CHECK(crowd.count_good() == 3);
    CHECK(count->load() == 100);
}

TEST_CASE("a completion function that throws breaks the barrier") {
    const Shared<Barrier> barrier{2, [] { throw std::domain_error{"no"}; }};
    Crowd crowd;
    crowd.add_asleep(1, [&] { return broken([&] { barrier->arrive_and_wait(); }); });
    CHECK_THROWS_AS(barrier->arrive_and_wait(), std::domain_error);
    CHECK(crowd.count_good() == 1);
    CHECK(barrier->was_broken());
    CHECK_THROWS_AS(barrier->arrive_and_wait(), BrokenBarrier);
}

TEST_CASE("a completion function can break its barrier - but not come to it or reset it") {
    static Barrier* barrier = nullptr;
    static int told = 0;
    const Shared<Barrier> one{1, [] {
                                  told += refused([] { barrier->arrive_and_wait(); }) == 0 ? 1 : 0;
                                  told += refused([] { barrier->reset(); }) == 0 ? 1 : 0;
                                  if (told == 4) { barrier->abort(); }
                              }};
    barrier = one.get();
    CHECK(one->arrive_and_wait() == 0);
    CHECK_THROWS_AS(one->arrive_and_wait(), BrokenBarrier);
    CHECK(told == 4);
}

TEST_CASE("abort and reset of a barrier tell those that wait") {
    const Shared<Barrier> barrier{3};
    for (const bool abort : {true, false}) {
        Crowd crowd;
        crowd.add_asleep(2, [&] { return broken([&] { barrier->arrive_and_wait(); }); });
        if (abort) {
            barrier->abort();
            CHECK(barrier->was_broken());
            CHECK_THROWS_AS(barrier->arrive_and_wait(), BrokenBarrier);
            CHECK(crowd.count_good() == 2);
        }
        barrier->reset();
        CHECK_FALSE(barrier->was_broken());
        CHECK(crowd.count_good() == (abort ? 0 : 2));
        Crowd again;
        again.add_asleep(2, [&] { return arrive(*barrier); });
        barrier->arrive_and_wait();
        CHECK(again.count_good() == 2);
    }
}

TEST_CASE("the barrier breaks for all when the time of one is over") {
    const Shared<Barrier> barrier{3};
    Crowd crowd;
    crowd.add_asleep(1, [&] { return broken([&] { barrier->arrive_and_wait(); }); });
    const auto start = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(barrier->arrive_and_wait_for(5ms), BrokenBarrier);
    CHECK(std::chrono::steady_clock::now() - start >= 5ms);
    CHECK(crowd.count_good() == 1);
    CHECK(barrier->was_broken());
    barrier->reset();
    CHECK_THROWS_AS(barrier->arrive_and_wait_until(std::chrono::system_clock::now()), BrokenBarrier);
    barrier->reset();
    crowd.add_asleep(2, [&] { return arrive(*barrier); });
    CHECK(barrier->arrive_and_wait_for(1min) == 2);
    CHECK(crowd.count_good() == 2);
}

TEST_CASE("a thread that slept through several rounds learns how its own ended") {
    const Shared<Barrier> barrier{2};
    for (const int later : {0, 1, 7, 8}) {
        for (const bool pass : {true, false}) {
            CAPTURE(later, pass);
            Crowd crowd;
            crowd.add_asleep(1, [&] { return broken([&] { barrier->arrive_and_wait(); }); });
            const pid_t stopped = crowd[0];
            ::kill(stopped, SIGSTOP);
            ::waitpid(stopped, nullptr, WUNTRACED);
            pass ? static_cast<void>(barrier->arrive_and_wait()) : barrier->reset();
            for (int round = 0; round < later; ++round) {
                if (round % 2 == 1) {
                    barrier->reset();
                    continue;
                }
                std::thread other{[&] { barrier->arrive_and_wait(); }};
                barrier->arrive_and_wait();
                other.join();
            }
            barrier->abort();
            ::kill(stopped, SIGCONT);
            CHECK(crowd.wait_for(stopped) == (pass && later < 8 ? 1 : 0));  // after more than eight it is told broken
            barrier->reset();
        }
    }
}

TEST_CASE("a thread that slept through many rounds has passed if there was no reset") {
    const Shared<Barrier> barrier{2};
    barrier->reset();  // before it came
    Crowd crowd;
    crowd.add_asleep(1, [&] { return arrive(*barrier); });
    const pid_t stopped = crowd[0];
    ::kill(stopped, SIGSTOP);
    ::waitpid(stopped, nullptr, WUNTRACED);
    barrier->arrive_and_wait();
    std::thread other{[&] {
        for (int round = 0; round < 20; ++round) { barrier->arrive_and_wait(); }
    }};
    for (int round = 0; round < 20; ++round) { barrier->arrive_and_wait(); }
    other.join();
    ::kill(stopped, SIGCONT);
    CHECK(crowd.wait_for(stopped) == 0);
}

TEST_CASE("a barrier's rounds begin again after the last") {
    const Shared<Barrier> barrier{2};
    constexpr std::uint32_t round = 1024;
    word_of(*barrier).store(0U - 2 * round);
    for (int pass = 0; pass < 4; ++pass) {
        Crowd crowd;
        crowd.add_asleep(1, [&] { return arrive(*barrier); });
        barrier->arrive_and_wait();
        CHECK(crowd.count_good() == 1);
    }
    CHECK(word_of(*barrier).load() / round == 2);
}

TEST_CASE("those that wait at a barrier that is destroyed are told") {
    std::optional<Shared<Barrier>> barrier{std::in_place, 3};
    Barrier* const b = barrier->get();
    Crowd crowd;
    crowd.add_asleep(2, [&] { return refused([&] { b->arrive_and_wait(); }); });
    barrier.reset();
    CHECK(crowd.count_good() == 2);
}

TEST_CASE("a barrier has limits") {
    CHECK_THROWS_AS(Shared<Barrier>{0}, std::invalid_argument);
    CHECK_THROWS_WITH(Shared<Barrier>{-1}, "procpool: a Barrier has 1 to 1024 parties, not -1");
    CHECK_THROWS_AS(Shared<Barrier>{1025}, std::invalid_argument);
    CHECK(Shared<Barrier> { 1024 } -> parties() == 1024);
    CHECK_THROWS_AS(std::make_unique<Barrier>(2), std::logic_error);
}

TEST_CASE("a party that dies after it has come or as a Party before that breaks the barrier") {
    const Shared<Barrier> barrier{3};
    const Shared<std::atomic<int>> seated{0};
    for (const bool came : {true, false}) {
        CAPTURE(came);
        Crowd crowd;
        const pid_t victim = crowd.add([&] {
            const Barrier::Party party{*barrier};
            seated->store(1);
            if (came) { barrier->arrive_and_wait(); }
            for (;;) { ::pause(); }
            return 0;
        });
        wait_until([&] { return seated->load() == 1; }, "the party");
        wait_until_asleep(victim);
        crowd.add_asleep(1, [&] { return broken([&] { barrier->arrive_and_wait(); }); });
        crowd.kill(victim);
        CHECK(crowd.count_good() == 1);
        CHECK(barrier->was_broken());
        barrier->reset();
        seated->store(0);
        crowd.add_asleep(2, [&] {
            const Barrier::Party party{*barrier};
            return arrive(*barrier);
        });
        barrier->arrive_and_wait();
        CHECK(crowd.count_good() == 2);
    }
}

TEST_CASE("the last to come does not pass with one that has died meanwhile") {
    const Shared<Barrier> barrier{2};
    Crowd crowd;
    crowd.add_asleep(1, [&] { return arrive(*barrier); });
    crowd.kill(crowd[0]);
    CHECK_THROWS_AS(barrier->arrive_and_wait(), BrokenBarrier);
    CHECK(barrier->was_broken());
}

TEST_CASE("a barrier has one Party for each of its parties") {
    const Shared<Barrier> barrier{2};
    std::optional<Barrier::Party> first{*barrier};
    {
        const Barrier::Party second{*barrier};
        CHECK_THROWS_AS(Barrier::Party{*barrier}, std::logic_error);
        CHECK(in_child([&] {
                  first.reset();  // inherited: does nothing
                  return refused([&] { const Barrier::Party third{*barrier}; });
              }) == 0);
    }
    CHECK(in_child([&] {
              new Barrier::Party{*barrier};  // is left behind
              return 0;
          }) == 0);
    CHECK_FALSE(barrier->was_broken());
    CHECK_THROWS_AS(Barrier::Party{*barrier}, BrokenBarrier);
    CHECK(barrier->was_broken());
    barrier->reset();
    const Barrier::Party second{*barrier};
}

TEST_CASE("one of three at a barrier is killed at any time: the others pass or are told") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    for (int round = 0; round < 8; ++round) {
        const Shared<Barrier> barrier{3};
        const Shared<std::atomic<int>> seated{0};
        Crowd crowd;
        for (int i = 0; i < 3; ++i) {
            crowd.add([&] {
                const Barrier::Party party{*barrier};
                ++*seated;
                return broken([&] {
                    for (;;) { barrier->arrive_and_wait(); }
                });
            });
        }
        wait_until([&] { return seated->load() == 3; }, "the parties");
        procpool_test::dawdle(random, 1'000'000);
        crowd.kill(crowd[random() % 3]);
        REQUIRE(crowd.count_good() == 2);
    }
}

// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared.hpp>
#include <procpool/sync/permits.hpp>

#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/held.hpp"
#include "sync/crowd.hpp"

#include <atomic>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

TEST_CASE("permits are held and given back") {
    const Shared<Permits> permits{2};
    CHECK(permits->size() == 2);
    CHECK(permits->was_free() == 2);
    {
        const Permits::Permit first = permits->acquire();
        std::optional<Permits::Permit> second = permits->try_acquire();
        REQUIRE(second);
        CHECK_FALSE(permits->try_acquire());
        CHECK_FALSE(permits->try_acquire_for(0s));
        CHECK_FALSE(permits->try_acquire_for(2ms));
        CHECK_FALSE(permits->try_acquire_until(std::chrono::system_clock::now() + 1ms));
        CHECK(word_of(*permits).load() == 0);  // one that gives up takes its bit along
        CHECK(in_child([&] {
                  second.reset();  // inherited: does nothing
                  return permits->try_acquire() ? 1 : 0;
              }) == 0);
        const Permits::Permit moved = std::move(*second);
        second.reset();
        CHECK(permits->was_free() == 0);
    }
    CHECK(permits->was_free() == 2);
    std::optional<Permits::Permit> last = permits->try_acquire_for(1min);
    CHECK(last);
    *last = permits->acquire();
    CHECK(permits->was_free() == 1);
    CHECK(permits->try_acquire_until(std::chrono::steady_clock::now()));
}

TEST_CASE("permits have limits") {
    CHECK_THROWS_AS(Shared<Permits>{0}, std::invalid_argument);
    CHECK_THROWS_WITH(Shared<Permits>{1025}, "procpool: there are 1 to 1024 Permits, not 1025");
    CHECK_THROWS_AS(std::make_unique<Permits>(1), std::logic_error);
    const Shared<Permits> most{1024};
    std::vector<Permits::Permit> all;
    while (auto permit = most->try_acquire()) { all.push_back(std::move(*permit)); }
    CHECK(all.size() == 1024);
}

TEST_CASE("a permit that is given back wakes one that waits") {
    const Shared<Permits> permits{1};
    std::optional<Permits::Permit> mine = permits->acquire();
    Crowd crowd;
    crowd.add_asleep(3, [&] {
        const Permits::Permit permit = permits->acquire();
        return 0;
    });
    mine.reset();
    CHECK(crowd.count_good() == 3);
    CHECK(permits->was_free() == 1);
}

TEST_CASE("the permit of a dead process or of a thread that has ended comes back") {
    const Shared<Permits> permits{1};
    for (int round = 0; round < 2; ++round) {
        Crowd crowd;
        const pid_t holder = start_holder([&] { return permits->acquire(); });
        crowd.add_asleep(2, [&] {
            const Permits::Permit permit = permits->acquire();
            return 0;
        });
        kill_and_reap(holder);
        if (round == 1) { CHECK(permits->was_free() == 1); }
        CHECK(crowd.count_good() == 2);
    }
    std::optional<Permits::Permit> left;
    std::thread{[&] { left = permits->acquire(); }}.join();
    const Permits::Permit mine = permits->acquire();
    left.reset();  // is another's by now
    CHECK(permits->was_free() == 0);
}

TEST_CASE("what the holder of a permit did is visible to the next", "[thread]") {
    const Shared<Permits> permits{1};
    int sum = 0;
    std::array<std::thread, 3> threads;
    for (std::thread& thread : threads) {
        thread = std::thread{[&] {
            for (int i = 0; i < 500; ++i) {
                const Permits::Permit permit = permits->acquire();
                ++sum;
            }
        }};
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(sum == 1500);
}

TEST_CASE("however many holders of permits are killed the others get them all") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    const Shared<Permits> permits{2};
    const Shared<std::atomic<int>> taken{0};
    const auto take_and_give = [&](int times) {
        for (int n = 0; n != times; ++n) {
            const Permits::Permit permit = permits->acquire();
            ++*taken;
        }
        return 0;
    };
    Crowd victims;
    for (int round = 0; round < 100; ++round) {
        while (victims.size() < 3) {
            victims.add([&] { return take_and_give(-1); });
        }
        const int before = taken->load();
        wait_until([&] { return taken->load() > before; }, "the others");
        dawdle(random, 100'000);
        victims.kill(victims[random() % 3]);
    }
    Crowd survivors;
    for (int i = 0; i < 2; ++i) {
        survivors.add([&] { return take_and_give(200); });
    }
    while (victims.size() > 0) { victims.kill(victims[0]); }
    CHECK(survivors.count_good() == 2);
    CHECK(permits->was_free() == 2);
}

TEST_CASE("those that wait for permits that are destroyed are told") {
    std::optional<Shared<Permits>> permits{std::in_place, 1};
    Permits* const p = permits->get();
    Crowd crowd;
    {
        const Permits::Permit mine = p->acquire();
        crowd.add_asleep(3, [&] { return refused([&] { const Permits::Permit permit = p->acquire(); }); });
    }  // one of them may get it
    const int before = static_cast<int>(crowd.size());
    permits.reset();
    CHECK(before == 3);
    CHECK(crowd.count_good() <= 3);
}

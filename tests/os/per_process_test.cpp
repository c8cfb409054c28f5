// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/per_process.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

using namespace procpool;
using procpool_test::in_child;

namespace {

std::atomic<int> alive{0};

struct Thing : detail::os::OfOneProcess {
    explicit Thing(int number) : value(number) { ++alive; }
    Thing(const Thing&) = delete;
    Thing& operator=(const Thing&) = delete;
    ~Thing() { --alive; }
    int value;
};

}  // namespace

TEST_CASE("a process makes its one of a kind at the first call and keeps it") {
    static constinit detail::os::PerProcess<Thing> things{};
    CHECK(things.newest() == nullptr);
    CHECK(things.mine() == nullptr);
    int made = 0;
    Thing& first = things.get([] { return new Thing{1}; }, [&](Thing& thing) { made += thing.value; });
    CHECK(first.value == 1);
    CHECK(first.is_mine());
    CHECK(made == 1);
    CHECK(&things.get([] { return new Thing{2}; }, [&](Thing& thing) { made += thing.value; }) == &first);
    CHECK(made == 1);
    CHECK(things.newest() == &first);
    CHECK(things.mine() == &first);
}

TEST_CASE("a forked child sees what it inherited and makes its own") {
    static constinit detail::os::PerProcess<Thing> things{};
    Thing& ours = things.get([] { return new Thing{1}; });
    CHECK(in_child([&] {
              if (things.newest() != &ours || things.mine() != nullptr || ours.is_mine()) { return 1; }
              Thing& own = things.get([] { return new Thing{2}; });
              if (&own == &ours || own.value != 2 || !own.is_mine()) { return 2; }
              return things.newest() == &own && things.mine() == &own ? 0 : 3;
          }) == 0);
    CHECK(things.mine() == &ours);
}

TEST_CASE("threads that make it at the same time get one object; the others are destroyed", "[thread]") {
    for (int round = 0; round < 50; ++round) {
        detail::os::PerProcess<Thing> things;
        const int before = alive;
        std::atomic<int> waiting{0};
        std::atomic<int> held{0};
        std::array<Thing*, 4> got{};
        std::array<std::thread, 4> threads;
        for (std::size_t i = 0; i < threads.size(); ++i) {
            threads[i] = std::thread{[&, i] {
                ++waiting;
                while (waiting != 4) {}
                got[i] = &things.get([i] { return new Thing{static_cast<int>(i)}; }, [&](Thing&) { ++held; });
            }};
        }
        for (std::thread& thread : threads) { thread.join(); }
        CHECK(std::count(got.begin(), got.end(), got[0]) == 4);
        CHECK(held == 1);
        CHECK(alive == before + 1);
        delete got[0];
    }
}

TEST_CASE("an object that cannot be made leaves the next caller another try") {
    static constinit detail::os::PerProcess<Thing> things{};
    CHECK_THROWS_AS(things.get([]() -> Thing* { throw 3; }), int);
    CHECK(things.newest() == nullptr);
    CHECK(things.get([] { return new Thing{4}; }).value == 4);
}

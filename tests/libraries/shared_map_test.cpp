// SPDX-License-Identifier: BSL-1.0
#include <procpool/shared_map.hpp>

#include <procpool/shm/shared.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// A key whose hash kills its process when it is asked for the nth time.
struct Deadly {
    int number;
    bool operator==(const Deadly&) const = default;
    static inline int left = 0;
};

}  // namespace

template <>
struct std::hash<Deadly> {
    std::size_t operator()(const Deadly& key) const {
        if (Deadly::left > 0 && --Deadly::left == 0) { ::raise(SIGKILL); }
        return static_cast<std::size_t>(key.number);
    }
};

TEST_CASE("a shared map keeps what any process puts into it") {
    const Shared<SharedMap<std::string, std::string>> map{1 << 20};
    CHECK(map->size() == 0);
    CHECK(map->put("one", "1"));
    CHECK_FALSE(map->put("one", std::string(500, '1')));
    CHECK(in_child([&] {
              map->put("two", "2");
              map->put(std::string(100, 'k'), "");
              return map->get("one") == std::string(500, '1') ? 0 : 1;
          }) == 0);
    CHECK(map->get("two") == "2");
    CHECK(map->contains(std::string(100, 'k')));
    CHECK_FALSE(map->get("three"));
    CHECK_FALSE(map->contains("three"));
    CHECK(map->size() == 3);
    auto entries = map->snapshot();
    std::ranges::sort(entries);
    CHECK(entries[1] == std::pair<std::string, std::string>{"one", std::string(500, '1')});
    CHECK(map->erase("two"));
    CHECK_FALSE(map->erase("two"));
    CHECK(map->size() == 2);
    map->clear();
    CHECK(map->snapshot().empty());
}

TEST_CASE("update is one step and leaves things as they were when its function throws") {
    const Shared<SharedMap<int, long>> map{1 << 20};
    constexpr int each = 2000;
    std::array<pid_t, 3> children{};
    for (pid_t& child : children) {
        child = start_child([&] {
            for (int i = 0; i < each; ++i) {
                map->update(i % 10, [](long& n) { ++n; });
            }
            return 0;
        });
    }
    for (const pid_t child : children) { CHECK(wait_for_child(child) == 0); }
    for (int i = 0; i < 10; ++i) { CHECK(map->get(i) == 3 * each / 10); }
    CHECK(map->update(0, [](long& n) { return n++; }) == 3 * each / 10);
    CHECK_THROWS_AS(map->update(0,
                                [](long& n) {
                                    n = -1;
                                    throw 1;
                                }),
                    int);
    CHECK(map->get(0) == 3 * each / 10 + 1);
    CHECK_THROWS_AS(map->update(99, [](long&) { throw 1; }), int);
    CHECK_FALSE(map->contains(99));
    CHECK_THROWS_AS(map->update(0, [&](long&) { map->put(1, 1); }), std::system_error);
    CHECK(map->size() == 10);
}

TEST_CASE("threads use a shared map", "[thread]") {
    const Shared<SharedMap<int, std::string>> map{1 << 20};
    std::array<std::thread, 3> threads;
    for (std::thread& thread : threads) {
        thread = std::thread{[&] {
            for (int i = 0; i < 300; ++i) {
                map->update(i % 20, [](std::string& text) { text += 'x'; });
                if (i % 50 == 0 && map->snapshot().size() > 20) { map->clear(); }
            }
        }};
    }
    for (std::thread& thread : threads) { thread.join(); }
    for (int i = 0; i < 20; ++i) { CHECK(map->get(i)->size() == 45); }
}

TEST_CASE("a full map throws and is as before") {
    const Shared<SharedMap<int, std::string>> map{64 << 10};
    int count = 0;
    CHECK_THROWS_AS(
        [&] {
            for (;; ++count) { map->put(count, std::string(1000, 'x')); }
        }(),
        SharedMemoryExhausted);
    CHECK(count > 50);
    CHECK(map->size() == static_cast<std::size_t>(count));
    CHECK_THROWS_AS(map->put(0, std::string(10'000, 'y')), SharedMemoryExhausted);
    CHECK(map->get(0) == std::string(1000, 'x'));
    CHECK(map->erase(1));
    CHECK(map->put(1, std::string(900, 'z')));
    const auto entries = map->snapshot();
    map->recover(entries);
    CHECK(map->size() == static_cast<std::size_t>(count));
    auto too_many = entries;
    too_many.emplace_back(-1, std::string(50'000, 'x'));
    CHECK_THROWS_AS(map->recover(too_many), SharedMemoryExhausted);
    CHECK(map->size() == 0);
    CHECK(map->put(1, "one"));
}

TEST_CASE("a death in the middle of a change is told until the map is cleared or made anew") {
    const Shared<SharedMap<Deadly, int>> map{1 << 20};
    map->put({1}, 1);
    const auto kept = map->snapshot();
    const auto die_in = [&](int call, auto f) {
        const pid_t child = start_child([&] {
            Deadly::left = call;
            f();
            return 0;
        });
        CHECK(WIFSIGNALED(wait_for_child(child)));
        return child;
    };
    // The first hash is that of the look, the second one that of the insertion.
    die_in(1, [&] { map->put({2}, 2); });
    die_in(1, [&] { return map->get({1}); });
    CHECK(map->size() == 1);
    die_in(99, [&] { map->update({1}, [](int&) { ::raise(SIGKILL); }); });
    CHECK(map->get({1}) == 1);

    const pid_t dead = die_in(2, [&] { map->put({2}, 2); });
    try {
        static_cast<void>(map->get({1}));
        FAIL("not told");
    } catch (const OwnerDied& death) { CHECK(death.pid() == dead); }
    CHECK_THROWS_AS(map->put({1}, 3), OwnerDied);
    CHECK_THROWS_AS(map->snapshot(), OwnerDied);
    map->recover(kept);
    CHECK(map->get({1}) == 1);
    CHECK(map->size() == 1);

    die_in(2, [&] { map->put({3}, 3); });
    CHECK_THROWS_AS(map->size(), OwnerDied);
    map->clear();
    CHECK(map->size() == 0);
    CHECK(map->put({3}, 3));
    die_in(2, [&] { map->put({4}, 4); });  // the end of a map that is half changed does no harm
}

TEST_CASE("SYN-06 random kills: two survivors find a whole map or are told") {
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::minstd_rand random{seed};
    const Shared<SharedMap<std::string, std::string>> map{1 << 20};
    SharedPage page;
    const Counter torn{page};
    const Counter steps{page};
    const auto work = [&] {
        std::minstd_rand own{static_cast<unsigned>(::getpid())};
        for (;;) {
            const std::size_t number = own() % 50;
            const std::string key(1 + number, 'k');
            try {
                const auto value = map->get(key);
                if (value && value->find_first_not_of(static_cast<char>('a' + number % 26)) != std::string::npos) {
                    torn.add();
                }
                if (own() % 3 == 0) {
                    map->erase(key);
                } else {
                    map->put(key, std::string(own() % 400, static_cast<char>('a' + number % 26)));
                }
                steps.add();
            } catch (const OwnerDied&) { map->clear(); }
        }
        return 0;
    };
    std::array<pid_t, 3> workers{};
    for (pid_t& worker : workers) { worker = start_child(work); }
    for (const auto end = detail::Clock::now() + 700ms; detail::Clock::now() < end;) {
        ::usleep(static_cast<useconds_t>(random() % 2000));
        pid_t& victim = workers[random() % workers.size()];
        kill_and_reap(victim);
        steps.wait_for(steps.value() + 1);
        victim = start_child(work);
    }
    for (const pid_t worker : workers) { kill_and_reap(worker); }
    CHECK(torn.value() == 0);
}

TEST_CASE("a shared map lies where processes share memory") {
    CHECK_THROWS_WITH((std::make_unique<SharedMap<int, int>>(1 << 20)),
                      Catch::ContainsSubstring("write Shared<SharedMap>"));
    CHECK_THROWS_AS((Shared<SharedMap<int, int>>{8}), std::invalid_argument);
}

// SPDX-License-Identifier: BSL-1.0
#include <procpool/sync/guarded.hpp>

#include <procpool/core/error.hpp>
#include <procpool/shm/shared.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/held.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <system_error>
#include <thread>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

struct Point {
    double x = 1;
    std::int16_t y = 2;
    char name[6] = "point";
};

/// A child dies in the middle of a change.
template <class T, class F>
void die_in(Guarded<T>& guarded, F f) {
    REQUIRE(in_child([&] {
                guarded.with([&](T& value) {
                    f(value);
                    ::raise(SIGKILL);
                });
                return 0;
            }) == 128 + SIGKILL);
}

}  // namespace

TEST_CASE("SYN-16 values are made from arguments and seen by every process") {
    const Shared<Guarded<Point>> point;
    const Shared<Guarded<std::int64_t>> number{7};
    const Shared<Guarded<std::array<short, 3>>> array;
    CHECK(point->load().y == 2);
    CHECK(number->load() == 7);
    CHECK(array->load() == std::array<short, 3>{});
    CHECK(in_child([&] {
              point->with([](Point& p) { p.x *= 2; });
              *number->lock() *= 2;
              array->store({1, 2, 3});
              return 0;
          }) == 0);
    CHECK(point->with(&Point::x) == 2.0);
    CHECK(number->load() == 14);
    CHECK(array->with([](auto& a) { return a[2]; }) == 3);
    CHECK(reinterpret_cast<std::uintptr_t>(number.get()) % 64 == 0);
}

TEST_CASE("SYN-16 four processes that count lose nothing") {
    const Shared<Guarded<long>> count{0};
    constexpr int each = 20'000;
    std::array<pid_t, 4> children{};
    for (pid_t& child : children) {
        child = start_child([&] {
            for (int i = 0; i < each; ++i) {
                count->with([](long& n) { ++n; });
            }
            return 0;
        });
    }
    for (const pid_t child : children) { CHECK(wait_for_child(child) == 0); }
    CHECK(count->load() == 4 * each);
}

TEST_CASE("threads that count behind a guard lose nothing", "[thread]") {
    const Shared<Guarded<long>> count{0};
    constexpr int each = 1000;
    std::array<std::thread, 3> threads;
    for (std::thread& thread : threads) {
        thread = std::thread{[&] {
            for (int i = 0; i < each; ++i) {
                if (auto held = count->try_lock_for(1h)) { ++**held; }
            }
        }};
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(count->load() == 3 * each);
}

TEST_CASE("a guard gives nothing while another holds the value and lets go at its end") {
    const Shared<Guarded<int>> number{1};
    std::optional held{number->lock()};
    CHECK(in_child([&] {
              return !number->try_lock() && !number->try_lock_for(5ms) &&
                             !number->try_lock_until(detail::Clock::now() + 5ms)
                         ? 0
                         : 1;
          }) == 0);
    const auto is_free = [&] { return in_child([&] { return number->try_lock().has_value() ? 0 : 1; }) == 0; };
    Guarded<int>::Locked moved{std::move(*held)};
    held.reset();
    CHECK_FALSE(is_free());
    *moved = 2;
    moved.unlock();
    CHECK(is_free());
    moved.lock();
    CHECK_FALSE(is_free());
    {
        const Guarded<int>::Locked last{std::move(moved)};
        CHECK_FALSE(is_free());
    }
    CHECK(is_free());
    CHECK(number->load() == 2);
}

TEST_CASE("a forked child that leaves the scope of its parent's lock does nothing to it") {
    const Shared<Guarded<int>> number{1};
    std::optional held{number->lock()};
    CHECK(in_child([&] {
              held.reset();
              return number->try_lock() ? 1 : 0;
          }) == 0);
    *(*held) = 5;
    held.reset();
    CHECK(number->load() == 5);
}

TEST_CASE("an exception passes and the value stays usable") {
    const Shared<Guarded<int>> number{1};
    CHECK_THROWS_AS(number->with([](int& n) {
        n = 2;
        throw 1;
    }),
                    int);
    CHECK(number->load() == 2);
}

TEST_CASE("a death in the middle of a change is told by every access until the value is repaired") {
    const Shared<Guarded<Point>> point;
    die_in(*point, [](Point& p) { p.x = -1; });
    CHECK_THROWS_AS(point->load(), OwnerDied);
    CHECK_THROWS_AS(point->with([](Point&) {}), OwnerDied);
    CHECK_THROWS_AS(point->lock(), OwnerDied);
    CHECK_THROWS_AS(point->try_lock(), OwnerDied);
    CHECK_THROWS_AS(point->try_lock_for(1h), OwnerDied);
    double seen = 0;
    point->recover([&](Point& p) {
        seen = p.x;
        p = Point{};
    });
    CHECK(seen == -1);
    CHECK(point->load().x == 1);

    die_in(*point, [](Point& p) { p.x = -1; });
    point->store(Point{3, 4, "new"});
    CHECK(point->load().x == 3);
}

TEST_CASE("a value that is not copied is used in its place") {
    struct Entry {
        std::atomic<int> hits = 0;
        Guarded<int> inner{3};
    };
    const Shared<Guarded<Entry>> entry;
    CHECK(entry->with([](Entry& e) { return ++e.hits + e.inner.load(); }) == 4);
    CHECK_THROWS_WITH(std::make_unique<Guarded<int>>(), Catch::ContainsSubstring("write Shared<Guarded>"));
}

TEST_CASE("several guarded values are used together") {
    const Shared<Guarded<int>> first{1};
    const Shared<Guarded<Point>> second;
    const Shared<Guarded<std::array<short, 3>>> third;
    const auto locked = [](auto& guarded) { return in_child([&] { return guarded->try_lock() ? 0 : 1; }) == 1; };
    const bool all_locked = with_all(*first, *second, *third, [&](int& n, Point& p, std::array<short, 3>& a) {
        n = 2;
        p.x = 3;
        a[1] = 4;
        return locked(first) && locked(second) && locked(third);
    });
    CHECK(all_locked);
    CHECK_FALSE((locked(first) || locked(second) || locked(third)));
    CHECK(first->load() + second->load().x + third->load()[1] == 9);
    int& reference = with_all(*first, *second, [](int& n, Point&) -> int& { return n; });
    CHECK(reference == 2);
    CHECK_THROWS_AS(with_all(*first, *second, [](auto&, auto&) { throw 1; }), int);
    CHECK_FALSE((locked(first) || locked(second)));
    CHECK_THROWS_AS(with_all(*first, *second, *first, [](auto&...) {}), std::system_error);  // twice the same
    CHECK_FALSE((locked(first) || locked(second)));
    auto last = [calls = 0](int& n, const Point&) mutable { return n + ++calls; };
    CHECK(with_all(*first, *second, last) == 3);
    CHECK(with_all(*first, *second, last) == 4);
}

TEST_CASE("a thread that waits for several guarded values holds none of them") {
    const Shared<std::array<Guarded<int>, 3>> all;
    auto& [a, b, c] = *all;
    for (Guarded<int>* const busy : {&a, &b, &c}) {
        const pid_t owner = start_holder([&] { return busy->lock(); });
        const pid_t waiter = start_child([&] {
            try {
                with_all(a, b, c, [](int&, int&, int&) {});
            } catch (const OwnerDied&) { return 0; }
            return 1;
        });
        wait_for_sleep(waiter);
        for (Guarded<int>& one : *all) {
            if (&one != busy) { CHECK(one.try_lock()); }
        }
        kill_and_reap(owner);
        CHECK(wait_for_child(waiter) == 0);  // told, with no lock
        for (Guarded<int>& one : *all) {
            if (&one != busy) { CHECK(one.try_lock()); }
        }
        CHECK_THROWS_AS(with_all(c, b, a, [](int&, int&, int&) {}), OwnerDied);
        busy->recover([](int&) {});
        with_all(c, b, a, [](int&, int&, int&) {});
    }
}

TEST_CASE("processes that use guarded values together in any order lose nothing and do not wait for ever") {
    const Shared<std::array<Guarded<long>, 3>> all;
    constexpr int each = 10'000;
    std::array<pid_t, 4> children{};
    for (std::size_t i = 0; i < children.size(); ++i) {
        children[i] = start_child([&, i] {
            for (std::size_t n = 0; n < each; ++n) {
                const std::size_t from = (i + n) % 3;
                const std::size_t to = (from + 1 + i % 2) % 3;
                with_all((*all)[from], (*all)[to], [](long& less, long& more) {
                    --less;
                    more += 2;
                });
            }
            return 0;
        });
    }
    for (const pid_t child : children) { CHECK(wait_for_child(child) == 0); }
    CHECK((*all)[0].load() + (*all)[1].load() + (*all)[2].load() == 4 * each);
}

TEST_CASE("a death with several guarded values is told of each of them") {
    const Shared<Guarded<int>> first{1};
    const Shared<Guarded<Point>> second;
    CHECK(in_child([&] {
              with_all(*first, *second, [](int&, Point&) { ::raise(SIGKILL); });
              return 0;
          }) == 128 + SIGKILL);
    CHECK_THROWS_AS(first->load(), OwnerDied);
    CHECK_THROWS_AS(second->load(), OwnerDied);
    CHECK_THROWS_AS(with_all(*first, *second, [](int&, Point&) {}), OwnerDied);
    first->recover([](int& n) { n = 5; });
    CHECK_THROWS_AS(with_all(*first, *second, [](int&, Point&) {}), OwnerDied);
    CHECK(first->load() == 5);
    second->recover([](Point& p) { p = Point{}; });
    with_all(*second, *first, [](Point& p, int& n) { p.x += n; });
    CHECK(second->load().x == 6);
}

TEST_CASE("random kills of processes that use several guarded values: what is whole stays so and the others go on") {
    struct Part {
        std::array<std::atomic<long>, 500> same{};  // atomic, so that the compiler changes one after the other
    };
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::minstd_rand random{seed};
    const Shared<std::array<Guarded<Part>, 3>> all;
    SharedPage page;
    const Counter torn{page};
    const Counter steps{page};
    const auto mend = [](Part& part) {
        for (auto& each : part.same) { each = part.same[0].load(); }
    };
    const auto work = [&](std::size_t number) {
        for (std::size_t n = number;; ++n) {
            try {
                with_all((*all)[n % 3], (*all)[(n + 1 + number % 2) % 3], [&](auto&... parts) {
                    for (Part* const part : {&parts...}) {
                        if (part->same.front() != part->same.back()) { torn.add(); }
                        for (auto& each : part->same) { each = each + 1; }
                    }
                });
                steps.add();
            } catch (const OwnerDied&) {
                for (Guarded<Part>& part : *all) { part.recover(mend); }
            }
        }
        return 0;
    };
    const auto start = [&](std::size_t number) { return start_child([&, number] { return work(number); }); };
    std::array workers{start(0), start(1), start(2)};
    for (int kills = 0; kills < 100; ++kills) {
        ::usleep(static_cast<useconds_t>(random() % 2000));
        const std::size_t victim = random() % workers.size();
        kill_and_reap(workers[victim]);
        steps.wait_for(steps.value() + 1);
        workers[victim] = start(victim);
    }
    for (const pid_t worker : workers) { kill_and_reap(worker); }
    CHECK(torn.value() == 0);
}

// SPDX-License-Identifier: BSL-1.0
#include <procpool/sync/condition.hpp>

#include <procpool/core/error.hpp>
#include <procpool/shm/shared.hpp>
#include <procpool/sync/guarded.hpp>
#include <procpool/sync/mutex.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

struct Room {
    Mutex mutex;
    Condition changed;
    int state = 0;
    std::atomic<int> woken = 0;
};

/// Children, or threads of one of them, that wait once each and count.
class Sleepers {
public:
    explicit Sleepers(Room& room) : room_(&room) {}
    /// One more child with one thread, or one more thread of this process.
    void add_process() {
        asleep_.push_back(start_child([this] {
            wait_once();
            return 0;
        }));
        children_.push_back(asleep_.back());
        wait_for_sleep(asleep_.back());
    }
    void add_thread() {
        std::atomic<pid_t> number = 0;
        threads_.emplace_back([&, this] {
            number = this_thread();
            wait_once();
        });
        wait_until([&] { return number != 0; }, "a thread");
        asleep_.push_back(number);
        wait_for_sleep(asleep_.back());
    }
    /// Returns: how many have woken once at least so many have, and as many as remain are asleep.
    int woken(int expected) {
        wait_until([&] { return room_->woken >= expected; }, "sleepers to wake");
        const auto still = [&] { return std::count_if(asleep_.begin(), asleep_.end(), is_asleep_on_futex); };
        wait_until([&] { return still() == std::ssize(asleep_) - expected; }, "the others to sleep on");
        return room_->woken;
    }
    void end() {
        for (const pid_t child : children_) { CHECK(wait_for_child(child) == 0); }
        for (std::thread& thread : threads_) { thread.join(); }
    }

private:
    void wait_once() const {
        std::unique_lock lock{room_->mutex};
        room_->changed.wait(lock);
        ++room_->woken;
    }

    Room* room_;
    std::vector<pid_t> asleep_;
    std::vector<pid_t> children_;
    std::vector<std::thread> threads_;
};

/// The condition's word, its first member: the lowest bit says that somebody may sleep.
bool says_that_some_sleep(const Condition& condition) {
    return (reinterpret_cast<const std::atomic<std::uint32_t>&>(condition).load() & 1) != 0;
}

}  // namespace

TEST_CASE("SYN-08 notifications wake as many as they say and are not kept") {
    const Shared<Room> room;
    room->changed.notify_one();
    room->changed.notify_all();
    Sleepers sleepers{*room};
    for (int i = 0; i < 3; ++i) {
        sleepers.add_process();
        sleepers.add_thread();
    }
    room->changed.notify_n(0);
    room->changed.notify_one();
    CHECK(sleepers.woken(1) == 1);
    room->changed.notify_n(2);
    CHECK(sleepers.woken(3) == 3);
    room->changed.notify_n(100);
    CHECK(sleepers.woken(6) == 6);
    sleepers.end();
    room->changed.notify_n(4);  // nobody sleeps: the bit goes
    CHECK_FALSE(says_that_some_sleep(room->changed));

    Sleepers later{*room};
    later.add_process();
    later.add_thread();
    room->woken = 0;
    CHECK(later.woken(0) == 0);
    {
        const std::scoped_lock hold{room->mutex};
        room->changed.notify_all();
        CHECK_FALSE(says_that_some_sleep(room->changed));
    }
    CHECK(later.woken(2) == 2);
    later.end();
}

TEST_CASE("SYN-09 waits that have timed out swallow no notification") {
    const Shared<Room> room;
    std::vector<std::thread> ghosts;
    for (int i = 0; i < 4; ++i) {
        ghosts.emplace_back([&] {
            std::unique_lock lock{room->mutex};
            const auto start = detail::Clock::now();
            while (room->changed.wait_for(lock, 5ms)) {}
            if (detail::Clock::now() - start >= 5ms) { ++room->woken; }
        });
    }
    for (std::thread& ghost : ghosts) { ghost.join(); }
    CHECK(room->woken == 4);
    CHECK(says_that_some_sleep(room->changed));
    room->woken = 0;
    Sleepers sleepers{*room};
    for (int i = 0; i < 2; ++i) {
        sleepers.add_process();
        sleepers.add_thread();
    }
    for (int i = 1; i <= 4; ++i) {
        room->changed.notify_one();
        CHECK(sleepers.woken(i) == i);
    }
    sleepers.end();
}

TEST_CASE("SYN-09 a timeout that races with a notification loses none", "[thread]") {
    const Shared<Room> room;
    constexpr int rounds = 300;
    std::thread notifier{[&] {
        for (int i = 0; i < rounds; ++i) {
            {
                std::unique_lock lock{room->mutex};
                room->changed.wait(lock, [&] { return room->state == 0; });
                room->state = 1;
            }
            room->changed.notify_all();
        }
    }};
    int taken = 0;
    int timeouts = 0;
    while (taken < rounds) {
        std::unique_lock lock{room->mutex};
        if (room->changed.wait_for(lock, std::chrono::microseconds{taken % 90}, [&] { return room->state == 1; })) {
            room->state = 0;
            ++taken;
            room->changed.notify_one();
        } else {
            ++timeouts;
        }
    }
    notifier.join();
    CHECK(taken == rounds);
}

TEST_CASE("SYN-10 a predicate is waited for - with and without a limit") {
    const Shared<Room> room;
    SharedPage page;
    const Counter steps{page};
    const pid_t child = start_child([&] {
        std::unique_lock lock{room->mutex};
        room->changed.wait(lock, [&] {
            steps.add();
            return room->state == 4;
        });
        return lock.owns_lock() ? 0 : 1;
    });
    for (int i = 1; i <= 4; ++i) {
        steps.wait_for(i);
        wait_for_sleep(child);
        {
            const std::scoped_lock hold{room->mutex};
            room->state = i;
        }
        room->changed.notify_one();
    }
    CHECK(wait_for_child(child) == 0);

    std::unique_lock lock{room->mutex};
    const auto start = detail::Clock::now();
    const auto never = [&] { return room->state == 5; };
    CHECK_FALSE(room->changed.wait_for(lock, 20ms, never));
    CHECK(detail::Clock::now() - start >= 20ms);
    CHECK_FALSE(room->changed.wait_until(lock, detail::Clock::now() + 5ms, never));
    CHECK_FALSE(room->changed.wait_until(lock, std::chrono::system_clock::now() + 5ms, never));
    CHECK_FALSE(room->changed.wait_for(lock, 0s, never));
    CHECK(room->changed.wait_for(lock, 0s, [] { return true; }));
    while (room->changed.wait_until(lock, detail::Clock::now() + 1ms)) {}
    CHECK(lock.owns_lock());
}

TEST_CASE("SYN-10 the lock is held when a predicate throws - and a wait without it throws") {
    const Shared<Room> room;
    {
        std::unique_lock lock{room->mutex};
        CHECK_THROWS_AS(room->changed.wait(lock, []() -> bool { throw 1; }), int);
        CHECK(lock.owns_lock());
        CHECK(room->mutex.was_owner() == ::getpid());
    }
    std::unique_lock<Mutex> unlocked{room->mutex, std::defer_lock};
    CHECK_THROWS_AS(room->changed.wait(unlocked), std::system_error);
    CHECK_THROWS_AS(room->changed.wait(room->mutex), std::system_error);
    room->changed.notify_all();
}

TEST_CASE("a condition works with a guarded value and with a Mutex itself") {
    struct Box {
        Guarded<int> value{0};
        Condition changed;
        Mutex mutex;
        int other = 0;
    };
    const Shared<Box> box;
    const pid_t child = start_child([&] {
        auto value = box->value.lock();
        box->changed.wait(value, [&] { return *value == 3; });
        value.unlock();
        box->mutex.lock();
        box->changed.wait(box->mutex, [&] { return box->other == 4; });
        box->mutex.unlock();
        return 0;
    });
    wait_for_sleep(child);
    box->value.store(3);
    box->changed.notify_all();
    {
        const std::scoped_lock hold{box->mutex};
        box->other = 4;
    }
    box->changed.notify_all();
    CHECK(wait_for_child(child) == 0);
}

TEST_CASE("a wait whose lock's owner died throws OwnerDied and does not hold it") {
    const Shared<Room> room;
    const pid_t waiter = start_child([&] {
        std::unique_lock lock{room->mutex};
        try {
            room->changed.wait(lock, [&] { return room->state == 1; });
        } catch (const OwnerDied&) { return lock.owns_lock() ? 1 : 0; }
        return 2;
    });
    wait_for_sleep(waiter);
    CHECK(in_child([&] {
              const std::scoped_lock hold{room->mutex};
              room->changed.notify_all();
              ::raise(SIGKILL);
              return 0;
          }) == 128 + SIGKILL);
    CHECK(wait_for_child(waiter) == 0);
}

TEST_CASE("SYN-11 sleepers that are killed keep nobody else asleep") {
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::minstd_rand random{seed};
    const Shared<Room> room;
    for (int round = 0; round < 60; ++round) {
        room->state = 0;
        std::array<pid_t, 3> children{};
        for (pid_t& child : children) {
            child = start_child([&] {
                std::unique_lock lock{room->mutex};
                while (room->state == 0) { room->changed.wait(lock); }  // no predicate, which would look by itself
                return 0;
            });
        }
        if (round % 2 == 0) {
            for (const pid_t child : children) { wait_for_sleep(child); }
        }
        std::thread killer{[&, pause = static_cast<useconds_t>(random() % 300), victim = children[random() % 3]] {
            ::usleep(pause);
            ::kill(victim, SIGKILL);
        }};
        ::usleep(static_cast<useconds_t>(random() % 300));
        try {
            const std::scoped_lock hold{room->mutex};
            room->state = 1;
        } catch (const OwnerDied&) {
            room->mutex.recover([&] { room->state = 1; });
        }
        room->changed.notify_all();
        killer.join();
        for (const pid_t child : children) {
            const int status = wait_for_child(child);
            // One that was killed with the lock poisons it for the others, who are told.
            CHECK((status == 0 || WIFSIGNALED(status) || WEXITSTATUS(status) == 99));
        }
        room->mutex.recover([] {});
    }
}

TEST_CASE("SYN-11 with a predicate nobody waits for a notification that died with its receiver") {
    const Shared<Room> room;
    std::array<pid_t, 2> children{};
    for (pid_t& child : children) {
        child = start_child([&] {
            std::unique_lock lock{room->mutex};
            room->changed.wait(lock, [&] { return room->state > 0; });
            --room->state;
            return 0;
        });
        wait_for_sleep(child);
    }
    // A killed receiver leaves the change without the notification.
    {
        const std::scoped_lock hold{room->mutex};
        room->state = 2;
    }
    for (const pid_t child : children) { CHECK(wait_for_child(child) == 0); }
    CHECK(room->state == 0);
}

TEST_CASE("SYN-18 those that wait for a condition that is destroyed are told") {
    std::optional<Shared<Condition>> condition;
    condition.emplace();
    Condition* const address = condition->get();
    const Shared<Mutex> mutex;
    const pid_t waiter = start_child([&] {
        std::unique_lock lock{*mutex};
        try {
            address->wait(lock, [] { return false; });
        } catch (const std::logic_error& error) {
            return std::string{error.what()} == "procpool: the Condition has been destroyed" && lock.owns_lock() ? 0
                                                                                                                 : 1;
        }
        return 2;
    });
    wait_for_sleep(waiter);
    condition.reset();
    CHECK(wait_for_child(waiter) == 0);
    std::unique_lock lock{*mutex};
    CHECK_THROWS_AS(address->wait(lock), std::logic_error);
    CHECK(lock.owns_lock());
    CHECK_THROWS_WITH(Condition{}, Catch::ContainsSubstring("write Shared<Condition>"));
}

TEST_CASE("producers and consumers among threads take every item once", "[thread]") {
    const Shared<Room> room;
    std::deque<int> items;
    constexpr int each = 500;
    std::vector<std::thread> threads;
    long sum = 0;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&] {
            for (int i = 1; i <= each; ++i) {
                {
                    const std::scoped_lock hold{room->mutex};
                    items.push_back(i);
                }
                room->changed.notify_one();
            }
        });
        threads.emplace_back([&] {
            for (int i = 0; i < each; ++i) {
                std::unique_lock lock{room->mutex};
                while (items.empty()) { room->changed.wait(lock); }
                sum += items.front();
                items.pop_front();
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(sum == 2L * each * (each + 1) / 2);
}

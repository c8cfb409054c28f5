// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/waiters.hpp>

#include "support/catch.hpp"

#include <atomic>
#include <cstdint>
#include <random>
#include <set>
#include <thread>
#include <vector>

using procpool::detail::Deadline;
using procpool::detail::sync::Parker;
using procpool::detail::task::Waiters;

namespace {

struct Sleepers {
    Sleepers(std::uint32_t count, std::uint32_t tasks)
        : parkers(count),
          elsewhere(count),
          marks(count * Waiters::words_for(tasks)),
          sets(tasks) {
        for (Parker& parker : parkers) { parker.reset(); }
        waiters.attach(parkers, elsewhere.data(), marks.data(), tasks);
    }
    std::vector<Parker> parkers;
    std::vector<std::atomic<Parker*>> elsewhere;
    std::vector<std::atomic<std::uint64_t>> marks;
    std::vector<std::atomic<std::uint32_t>> sets;
    Waiters waiters{};
};

[[nodiscard]] bool was_notified(Parker& parker) { return parker.park(procpool::detail::Deadline::immediately()); }

[[nodiscard]] std::set<std::uint32_t> marks_of(Waiters& waiters, std::uint32_t waiter) {
    std::set<std::uint32_t> all;
    waiters.take_marks(waiter, [&](std::uint32_t slot) { all.insert(slot); });
    return all;
}

}  // namespace

TEST_CASE("those in a slot's set are called and those alone") {
    Sleepers holder{64, 10};
    Waiters& waiters = holder.waiters;
    waiters.add(holder.sets[3], 1);
    waiters.add(holder.sets[3], 5);
    waiters.add(holder.sets[4], 2);
    waiters.call(holder.sets[3], 3);
    for (std::uint32_t i = 0; i < 64; ++i) { CHECK(was_notified(holder.parkers[i]) == (i == 1 || i == 5)); }
    waiters.assign(holder.sets[3], 7);
    waiters.call(holder.sets[3], 3);
    for (std::uint32_t i = 0; i < 64; ++i) { CHECK(was_notified(holder.parkers[i]) == (i == 7)); }
    // The upper half shares the bits of the lower.
    waiters.add(holder.sets[4], 40);
    waiters.call(holder.sets[4], 4);
    CHECK(was_notified(holder.parkers[40]));
    CHECK(was_notified(holder.parkers[2]));
    CHECK_FALSE(was_notified(holder.parkers[7]));
    waiters.call_all();
    for (Parker& parker : holder.parkers) { CHECK(was_notified(parker)); }
    CHECK_FALSE(waiters.has_marks(1));  // they wait for one task each, so nothing was marked
}

TEST_CASE("a waiter that is redirected has its tasks marked and is woken elsewhere") {
    for (const std::uint32_t slots : {1U, 64U, 65U, 4096U, 4097U, 300000U}) {
        CAPTURE(slots);
        Sleepers holder{2, slots};
        Waiters& waiters = holder.waiters;
        Parker other{};
        other.reset();
        waiters.redirect(1, &other);
        std::set<std::uint32_t> chosen{0, slots - 1, slots / 2, slots / 3, slots * 2 / 3};
        for (const std::uint32_t slot : chosen) { waiters.add(holder.sets[slot], 1); }
        CHECK_FALSE(waiters.has_marks(1));
        for (const std::uint32_t slot : chosen) {
            waiters.call(holder.sets[slot], slot);
            waiters.call(holder.sets[slot], slot);
        }
        CHECK(was_notified(other));
        CHECK_FALSE(was_notified(holder.parkers[1]));
        CHECK(waiters.has_marks(1));
        CHECK_FALSE(waiters.has_marks(0));
        CHECK(marks_of(waiters, 1) == chosen);
        CHECK_FALSE(waiters.has_marks(1));
        CHECK(marks_of(waiters, 1).empty());
        waiters.call_all();
        CHECK(was_notified(other));
        waiters.redirect(1, nullptr);
        waiters.call(holder.sets[0], 0);
        CHECK(was_notified(holder.parkers[1]));
        CHECK(marks_of(waiters, 1).empty());
    }
}

TEST_CASE("no mark is lost between threads that set and one that takes them", "[thread]") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    constexpr std::uint32_t slots = 9000;
    Sleepers holder{1, slots};
    Waiters& waiters = holder.waiters;
    Parker other{};
    other.reset();
    waiters.redirect(0, &other);
    std::vector<std::atomic<std::uint32_t>> set(slots);
    std::vector<std::uint32_t> seen(slots);
    for (auto& one : holder.sets) { waiters.add(one, 0); }
    constexpr std::uint32_t each = 100000;
    std::atomic<int> running{2};
    std::vector<std::thread> setters;
    for (unsigned t = 0; t < 2; ++t) {
        setters.emplace_back([&, t] {
            std::mt19937 random{seed + t};
            for (std::uint32_t i = 0; i < each; ++i) {
                const auto slot = static_cast<std::uint32_t>(random() % slots);
                set[slot].fetch_add(1, std::memory_order_relaxed);
                waiters.call(holder.sets[slot], slot);
            }
            --running;
            other.notify();
        });
    }
    // After its last mark was taken, every slot has been seen as it was set last.
    const auto look = [&](std::uint32_t slot) { seen[slot] = set[slot].load(std::memory_order_relaxed); };
    while (running > 0) {
        waiters.take_marks(0, look);
        if (!waiters.has_marks(0)) { other.park(procpool::detail::Deadline::after(std::chrono::milliseconds{50})); }
    }
    waiters.take_marks(0, look);
    for (std::thread& setter : setters) { setter.join(); }
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
        if (seen[slot] != set[slot].load()) { FAIL("a mark of slot " << slot << " was lost"); }
    }
    SUCCEED();
}

// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/seat.hpp>

#include "support/catch.hpp"

#include <array>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

using namespace procpool::detail::task;

namespace {

constexpr std::uint32_t seats = 200;

struct Set {
    Set() { set.attach(words.data(), seats); }
    std::array<std::atomic<std::uint64_t>, SeatSet::words_for(seats)> words{};
    SeatSet set{};
};

}  // namespace

TEST_CASE("a set has a word for every 64 seats") {
    CHECK(SeatSet::words_for(1) == 1);
    CHECK(SeatSet::words_for(64) == 1);
    CHECK(SeatSet::words_for(65) == 2);
    CHECK(SeatSet::words_for(4002) == 63);
}

TEST_CASE("seats enter and leave a set") {
    Set holder;
    SeatSet& set = holder.set;
    CHECK(set.was_empty());
    CHECK(set.take_one() == SeatSet::nobody);
    CHECK_FALSE(set.remove(63));
    for (const std::uint32_t seat : {0U, 63U, 64U, 127U, 199U}) { set.add(seat); }
    set.add(63);
    CHECK_FALSE(set.was_empty());
    CHECK(set.was_size() == 5);
    CHECK(set.contains(127));
    CHECK_FALSE(set.contains(126));
    CHECK(set.remove(64));
    CHECK_FALSE(set.remove(64));
    std::set<std::uint32_t> taken;
    for (std::uint32_t seat = set.take_one(); seat != SeatSet::nobody; seat = set.take_one()) { taken.insert(seat); }
    CHECK(taken == std::set<std::uint32_t>{0, 63, 127, 199});
    CHECK(set.was_empty());
    CHECK(set.was_size() == 0);
}

TEST_CASE("of those who take one seat out at the same time: one gets it", "[thread]") {
    Set holder;
    SeatSet& set = holder.set;
    constexpr int rounds = 5000;
    std::atomic<int> taken{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> takers;
    for (int i = 0; i < 3; ++i) {
        takers.emplace_back([&] {
            while (!over || !set.was_empty()) {
                if (set.take_one() != SeatSet::nobody) { ++taken; }
            }
        });
    }
    int added = 0;
    int removed = 0;
    for (int i = 0; i < rounds; ++i) {
        const auto seat = static_cast<std::uint32_t>(i) % seats;
        set.add(seat);
        ++added;
        if (i % 3 == 0) {
            removed += set.remove(seat) ? 1 : 0;
        } else {
            while (set.was_size() > seats / 2) { std::this_thread::yield(); }
        }
        // Only who added a seat adds it again, and only when it has left: as a worker does.
        while (i % 50 == 49 && !set.was_empty()) { std::this_thread::yield(); }
    }
    over = true;
    for (std::thread& thread : takers) { thread.join(); }
    CHECK(taken + removed == added);
    CHECK(set.was_empty());
}

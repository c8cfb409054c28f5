// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/ready_set.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

using procpool::detail::task::ReadySet;

namespace {

/// A set with memory of its own.
class OwnSet {
public:
    explicit OwnSet(std::uint32_t slots) : words_(ReadySet::words_for(slots)) { set_.attach(words_.data(), slots); }
    ReadySet* operator->() noexcept { return &set_; }

private:
    std::vector<std::atomic<std::uint64_t>> words_;
    ReadySet set_{};
};

}  // namespace

TEST_CASE("a set of ready tasks gives each slot once") {
    for (const std::uint32_t slots : {1U, 2U, 63U, 64U, 65U, 128U, 4095U, 4096U, 4097U, 300'000U}) {
        OwnSet set{slots};
        CHECK(set->was_empty());
        CHECK(set->take() == ReadySet::nothing);
        std::vector<std::uint32_t> members{0, slots - 1, slots / 2, slots / 3, slots > 64 ? 64U : 0U};
        std::sort(members.begin(), members.end());
        members.erase(std::unique(members.begin(), members.end()), members.end());
        for (int round = 0; round < 3; ++round) {
            for (const std::uint32_t slot : members) { set->add(slot); }
            set->add(members.back());  // again: nothing
            std::vector<std::uint32_t> taken;
            for (std::size_t n = 0; n < members.size(); ++n) {
                CHECK_FALSE(set->was_empty());
                taken.push_back(set->take());
            }
            CHECK(set->take() == ReadySet::nothing);
            CHECK(set->was_empty());
            CHECK(taken == members);  // lower ones first
        }
        if (slots > 5000) { continue; }
        for (std::uint32_t slot = 0; slot < slots; ++slot) { set->add(slot); }
        std::uint32_t count = 0;
        while (set->take() == count) { ++count; }
        CHECK(count == slots);
        CHECK(set->was_empty());
    }
}

TEST_CASE("a slot may be added while others are taken from its word") {
    OwnSet set{4096};
    set->add(70);
    set->add(71);
    CHECK(set->take() == 70);
    set->add(64);
    CHECK(set->take() == 64);
    CHECK(set->take() == 71);
    set->add(4095);
    CHECK(set->take() == 4095);
    CHECK(set->take() == ReadySet::nothing);
    CHECK(set->was_empty());
    set->add(130);
    CHECK(set->take() == 130);
}

TEST_CASE("several threads add to and take from a set of ready tasks and none is lost or given twice") {
    for (const std::uint32_t slots : {1U, 64U, 65U, 4096U}) {
        OwnSet set{slots};
        // Each slot is in the set or with a thread, which says that it has it before it gives it back.
        std::vector<std::atomic<std::uint32_t>> owners(slots);
        std::atomic<bool> twice{false};
        std::atomic<std::uint64_t> taken{0};
        const std::uint32_t out = std::min(slots, 40U);
        for (std::uint32_t slot = 0; slot < out; ++slot) { set->add(slot * (slots / out)); }
        std::vector<std::thread> threads;
        for (std::uint32_t number = 1; number <= 4; ++number) {
            threads.emplace_back([&, number] {
                std::mt19937 random{number};
                std::vector<std::uint32_t> held;
                for (int step = 0; step < 30'000; ++step) {
                    if (random() % 2 == 0) {
                        const std::uint32_t slot = set->take();
                        if (slot == ReadySet::nothing) { continue; }
                        if (slot >= slots || owners[slot].exchange(number) != 0) { twice = true; }
                        held.push_back(slot);
                        taken.fetch_add(1, std::memory_order_relaxed);
                    } else if (!held.empty()) {
                        const std::uint32_t slot = held.back();
                        held.pop_back();
                        owners[slot].store(0);
                        set->add(slot);
                    }
                }
                for (const std::uint32_t slot : held) {
                    owners[slot].store(0);
                    set->add(slot);
                }
            });
        }
        for (std::thread& thread : threads) { thread.join(); }
        CHECK_FALSE(twice);
        CHECK(taken > 0);
        std::uint32_t left = 0;
        while (set->take() != ReadySet::nothing) { ++left; }
        CHECK(left == out);
        CHECK(set->was_empty());
    }
}

TEST_CASE("what one thread adds another one finds") {
    OwnSet set{65};
    constexpr int rounds = 20'000;
    std::atomic<int> seen{0};
    std::thread takes{[&] {
        for (int round = 0; round < rounds; ++round) {
            std::uint32_t slot = ReadySet::nothing;
            while ((slot = set->take()) == ReadySet::nothing) { std::this_thread::yield(); }
            if (slot == (round % 2 == 0 ? 64U : 1U)) { seen.store(round + 1); }
        }
    }};
    for (int round = 0; round < rounds; ++round) {
        set->add(round % 2 == 0 ? 64 : 1);
        while (seen.load() != round + 1) { std::this_thread::yield(); }
    }
    takes.join();
    CHECK(set->take() == ReadySet::nothing);
    CHECK(set->was_empty());
}

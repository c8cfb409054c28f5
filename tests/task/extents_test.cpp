// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/extents.hpp>

#include <procpool/core/platform.hpp>
#include <procpool/os/cgroup.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/memory_group.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <new>
#include <random>
#include <span>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using detail::task::Extents;

namespace {

constexpr std::size_t piece = Extents::extent_size;

/// A table as a board has it: everything in shared memory.
class Table {
public:
    explicit Table(std::uint32_t count)
        : count_(count),
          region_(detail::round_up(2 * detail::cache_line + sizeof(Extents) + count * 16 + sizeof(Extents::Use),
                                   detail::os::page_size) +
                  count * piece),
          extents_(*reinterpret_cast<Extents*>(region_.data())) {
        auto* const words = reinterpret_cast<std::atomic<std::uint64_t>*>(
            region_.data() + detail::round_up(sizeof(Extents), detail::cache_line));
        users_ = words + count;
        extents_.attach(words, region_.data() + region_.size() - count * piece, count,
                        *reinterpret_cast<Extents::Use*>(words + 2 * count));
    }
    Extents* operator->() const noexcept { return &extents_; }
    [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
    /// A test's own record of the user of each extent.
    [[nodiscard]] std::atomic<std::uint64_t>& user(std::uint32_t extent) const noexcept { return users_[extent]; }
    [[nodiscard]] std::span<std::byte> memory(Extents::Run run) const noexcept {
        return {extents_.address(run), run.count * piece};
    }

private:
    std::uint32_t count_;
    detail::os::Mapping region_;
    Extents& extents_;
    std::atomic<std::uint64_t>* users_;
};

/// Takes and gives back runs of random sizes. Returns: how often two owners overlapped or contents were not as they
/// were left.
int churn(const Table& table, std::uint64_t seed, std::uint32_t me, int rounds) {
    std::mt19937_64 random{seed + me};
    struct Held {
        Extents::Run run;
        std::uint64_t owner;
        std::byte mark;
    };
    std::vector<Held> held;
    int wrong = 0;
    const auto give_back = [&](std::size_t which) {
        const Held one = held[which];
        const auto memory = table.memory(one.run);
        for (std::uint32_t i = 0; i < one.run.count; ++i) {
            if (memory[i * piece] != one.mark || memory[(i + 1) * piece - 1] != one.mark) { ++wrong; }
            if (table.user(one.run.first + i).exchange(0) != one.owner) { ++wrong; }
        }
        table->release(one.run);
        held[which] = held.back();
        held.pop_back();
    };
    for (int i = 0; i < rounds; ++i) {
        if (held.size() == 4 || (!held.empty() && random() % 2 == 0)) { give_back(random() % held.size()); }
        const std::uint64_t owner = Extents::stamp(me, static_cast<std::uint32_t>(i));
        const std::size_t size = 1 + random() % (3 * piece);
        try {
            const Extents::Run run = table->acquire(size, owner);
            const auto mark = static_cast<std::byte>(random());
            if (run.count * piece < size || run.first + run.count > table.count()) { ++wrong; }
            const auto memory = table.memory(run);
            for (std::uint32_t k = 0; k < run.count; ++k) {
                if (table.user(run.first + k).exchange(owner) != 0) { ++wrong; }
                memory[k * piece] = memory[(k + 1) * piece - 1] = mark;
            }
            held.push_back({run, owner, mark});
        } catch (const SharedMemoryExhausted&) {
            if (!held.empty()) { give_back(0); }
        }
    }
    while (!held.empty()) { give_back(0); }
    return wrong;
}

}  // namespace

TEST_CASE("a stamp tells tasks apart and from what is free") {
    CHECK(Extents::stamp(0, 0) > 1);
    CHECK(Extents::stamp(0, 0) != Extents::stamp(1, 0));
    CHECK(Extents::stamp(0, 0) != Extents::stamp(0, 1));
    CHECK((Extents::stamp(4194303, 0xffffffff) & 1U) == 0);
    CHECK(Extents::stamp(4194303, 7) >> 32 == 7);
}

TEST_CASE("a run is as long as it must be") {
    const Table table{8};
    const auto [size, count] = GENERATE(
        Catch::Generators::table<std::size_t, std::uint32_t>({{1, 1}, {piece, 1}, {piece + 1, 2}, {8 * piece, 8}}));
    const Extents::Run run = table->acquire(size, Extents::stamp(1, 1));
    CHECK(run.count == count);
    CHECK(table->was_owned() == count);
    std::memset(table.memory(run).data(), 1, size);
    table->release(run);
    CHECK(table->was_owned() == 0);
}

TEST_CASE("runs lie apart and a gap is used again") {
    const Table table{6};
    const auto a = table->acquire(2 * piece, Extents::stamp(1, 1));
    const auto b = table->acquire(2 * piece, Extents::stamp(2, 2));
    const auto c = table->acquire(2 * piece, Extents::stamp(3, 3));
    CHECK(a.first == 0);
    CHECK(b.first == 2);
    CHECK(c.first == 4);
    table->release(b);
    CHECK_THROWS_AS(table->acquire(3 * piece, Extents::stamp(4, 4)), SharedMemoryExhausted);
    CHECK(table->was_owned() == 4);
    CHECK(table->acquire(piece, Extents::stamp(5, 5)).first == 2);
    CHECK(table->acquire(piece, Extents::stamp(6, 6)).first == 3);
}

TEST_CASE("exhaustion is an exception that holds nothing") {
    const Table table{4};
    CHECK_THROWS_AS(table->acquire(5 * piece, Extents::stamp(1, 1)), SharedMemoryExhausted);
    CHECK_THROWS_AS(table->acquire(SIZE_MAX / 2, Extents::stamp(1, 1)), SharedMemoryExhausted);
    CHECK(table->was_owned() == 0);
    const auto middle = table->acquire(2 * piece, Extents::stamp(1, 1));
    try {
        static_cast<void>(table->acquire(3 * piece, Extents::stamp(2, 2)));
        FAIL("did not throw");
    } catch (const SharedMemoryExhausted& e) { CHECK(e.bytes() == 3 * piece); }
    CHECK(table->was_owned() == 2);
    table->release(middle);
    CHECK(table->acquire(4 * piece, Extents::stamp(3, 3)).count == 4);
}

TEST_CASE("a size that would wrap is exhaustion") {
    const Table table{2};
    CHECK_THROWS_AS(table->acquire(SIZE_MAX, Extents::stamp(1, 1)), SharedMemoryExhausted);
    CHECK_THROWS_AS(table->acquire(SIZE_MAX - piece + 2, Extents::stamp(1, 1)), SharedMemoryExhausted);
    CHECK(table->was_owned() == 0);
}

TEST_CASE("a run that the machine has no memory for is given back") {
    // More address space than memory; nothing of it is touched.
    const std::uint64_t available = detail::os::Limits{}.available_memory();
    const auto count = static_cast<std::uint32_t>((available + (std::uint64_t{1} << 30)) / piece);
    const Table table{count};
    CHECK_THROWS_AS(table->acquire(count * piece, Extents::stamp(1, 1)), SharedMemoryExhausted);
    CHECK(table->was_owned() == 0);
}

TEST_CASE("what a dead worker had taken for a task is found by its stamp") {
    const Table table{8};
    const auto dead = Extents::stamp(3, 7);
    CHECK(in_child([&] {
              static_cast<void>(table->acquire(2 * piece, dead));
              static_cast<void>(table->acquire(piece, Extents::stamp(4, 8)));
              const auto again = table->acquire(piece, dead);
              static_cast<void>(again);
              return 0;
          }) == 0);
    CHECK(table->was_owned() == 4);
    table->release_all_of(Extents::stamp(3, 8));  // another task in the same slot
    CHECK(table->was_owned() == 4);
    table->release_all_of(dead);
    CHECK(table->was_owned() == 1);
    table->release_all_of(dead);
    table->release_all_of(Extents::stamp(4, 8));
    CHECK(table->was_owned() == 0);

    // Also what was warm when it was taken.
    static_cast<void>(table->acquire(8 * piece, dead));
    table->release_all_of(dead);
    CHECK(table->was_owned() == 0);
}

TEST_CASE("freed memory is kept up to a limit and given back beyond it") {
    constexpr auto kept = static_cast<std::uint32_t>(Extents::keep_warm / piece);
    const Table table{kept + 4};
    const auto large = table->acquire(Extents::keep_warm, Extents::stamp(1, 1));
    const auto more = table->acquire(4 * piece, Extents::stamp(2, 2));
    const auto large_memory = table.memory(large);
    const auto more_memory = table.memory(more);
    std::memset(large_memory.data(), 1, piece);
    std::memset(more_memory.data(), 2, more_memory.size());
    table->release(large);
    CHECK(large_memory[0] == std::byte{1});  // kept
    table->release(more);
    CHECK(std::ranges::all_of(more_memory, [](std::byte one) { return one == std::byte{0}; }));

    const auto again = table->acquire(4 * piece, Extents::stamp(3, 3));
    CHECK(again.first == large.first);
    std::memset(table.memory(again).data(), 3, 4 * piece);
    table->release(again);
    CHECK(table.memory(again)[0] == std::byte{3});  // there is room for it again
}

TEST_CASE("in a group many payloads are refused before anybody is killed; what is kept warm is no reason to refuse",
          "[serial]") {
    const MemoryGroup group{std::size_t{128} << 20};
    if (!group) { return; }
    CHECK(in_child([&] {
              if (!group.join()) { return 50; }
              const Table table{4000};
              std::vector<Extents::Run> runs;
              try {
                  for (std::uint32_t i = 0;; ++i) {
                      runs.push_back(table->acquire(piece, Extents::stamp(i, 1)));
                      std::memset(table.memory(runs.back()).data(), 1, piece);
                  }
              } catch (const SharedMemoryExhausted&) {}
              if (runs.size() * piece < std::size_t{80} << 20 || table->was_owned() != runs.size()) { return 1; }
              const Extents::Run middle = runs[runs.size() / 2];
              for (const Extents::Run run : runs) {
                  if (run.first != middle.first) { table->release(run); }
              }
              // Longer than what is free on either side of the one in the middle.
              const std::uint32_t longer = static_cast<std::uint32_t>(runs.size()) / 2 + 10;
              const Extents::Run large = table->acquire(longer * piece, Extents::stamp(1, 2));
              std::memset(table.memory(large).data(), 1, longer * piece);
              // And what was used before can be used again when nothing is left.
              table->release(large);
              static_cast<void>(table->acquire(longer * piece, Extents::stamp(1, 3)));
              return table.memory(middle)[0] == std::byte{1} ? 0 : 2;
          }) == 0);
}

TEST_CASE("threads that take and give back at random never share an extent", "[thread]") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    const Table table{20};
    std::array<int, 4> wrong{};
    std::atomic<std::size_t> waiting{wrong.size()};
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < wrong.size(); ++i) {
        threads.emplace_back([&, i] {
            --waiting;
            while (waiting != 0) { std::this_thread::yield(); }
            wrong[i] = churn(table, seed, i, 10'000);
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(wrong == std::array<int, 4>{});
    CHECK(table->was_owned() == 0);
}

TEST_CASE("processes that take and give back at random never share an extent") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    const Table table{20};
    std::array<pid_t, 3> children{};
    for (std::uint32_t i = 0; i < children.size(); ++i) {
        children[i] = start_child([&, i] { return std::min(churn(table, seed, i, 20'000), 90); });
    }
    for (const pid_t child : children) { CHECK(wait_for_child(child, std::chrono::seconds{60}) == 0); }
    CHECK(table->was_owned() == 0);
}

TEST_CASE("processes killed while they take and give back leave nothing that their stamps do not free") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    const Table table{20};
    const std::uint64_t owner = Extents::stamp(1, 1);
    for (int round = 0; round < 100; ++round) {
        const pid_t child = start_child([&] {
            std::array<Extents::Run, 3> runs{};
            for (;;) {
                for (Extents::Run& run : runs) { run = table->acquire(2 * piece, owner); }
                for (const Extents::Run run : runs) { table->release(run); }
            }
            return 0;
        });
        ::usleep(static_cast<useconds_t>(random() % 2000));
        ::kill(child, SIGKILL);
        REQUIRE(WTERMSIG(wait_for_child(child)) == SIGKILL);
        table->release_all_of(owner);
        REQUIRE(table->was_owned() == 0);
        const auto all = table->acquire(20 * piece, Extents::stamp(2, 2));
        REQUIRE(all.count == 20);
        table->release(all);
    }
}

TEST_CASE("a run belongs to the slot it was taken for as far as there is one") {
    const Table extents{4};
    const Extents::Run run = extents->acquire(2 * piece, Extents::stamp(5, 9));
    CHECK(extents->is_of(run, 5));
    CHECK_FALSE(extents->is_of(run, 4));
    CHECK_FALSE(extents->is_of({run.first, run.count + 1}, 5));
    CHECK_FALSE(extents->is_of({run.first, 0}, 5));
    CHECK_FALSE(extents->is_of({4, 1}, 5));
    CHECK_FALSE(extents->is_of({3, 0xffffffff}, 5));
    CHECK_FALSE(extents->is_of({0xffffffff, 2}, 5));
    extents->release(run);
    CHECK_FALSE(extents->is_of(run, 5));
    const Extents::Run warm = extents->acquire(piece, Extents::stamp(3, 0xffffffff));
    CHECK(extents->is_of(warm, 3));
    extents->release(warm);
}

TEST_CASE("memory of a call is the call's until it ends and free when it is released") {
    const Table table{4};
    const std::uint64_t call = GENERATE(1U, 2U, 0x3fffffffU, 0x40000000U, (std::uint64_t{1} << 40) + 1);
    const Extents::Run run = table->acquire(2 * piece, Extents::stamp_of_call(call));
    const std::byte* const address = table->address(run);
    CHECK(table->is_of_call(address, call));
    CHECK_FALSE(table->is_of_call(address, call + 1));
    CHECK_FALSE(table->is_of_call(address, call - 1));
    for (std::uint32_t slot = 0; slot < table.count(); ++slot) { CHECK_FALSE(table->is_of(run, slot)); }
    table->end_call(run);
    CHECK_FALSE(table->is_of_call(address, call));
    CHECK(table->was_owned() == 2);
    table->release(run);
    CHECK(table->was_owned() == 0);
    const Extents::Run again = table->acquire(piece, Extents::stamp_of_call(call + 1));
    CHECK(table->address(again) == address);
    CHECK_FALSE(table->is_of_call(address, call));
    table->release(again);
}

TEST_CASE("a call's run is found by its number and any range of it can be asked about") {
    const Table table{6};
    const auto take = [&](std::size_t size, std::uint64_t call) {
        return table->acquire(size, Extents::stamp_of_call(call));
    };
    CHECK(table->find_call(1) == nullptr);
    const Extents::Run before = take(piece, 1);
    const Extents::Run run = take(2 * piece, 2);
    const Extents::Run behind = take(piece, 3);
    CHECK(table->find_call(2) == table->address(run));
    CHECK(table->find_call(3) == table->address(behind));
    CHECK(table->find_call(4) == nullptr);

    const auto address = reinterpret_cast<std::uint64_t>(table->address(run));
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, piece, piece + 1, 2 * piece}) {
        CHECK(table->hold_of_call(address, size, 2));
        CHECK_FALSE(table->hold_of_call(address, size, 3));
        CHECK_FALSE(table->hold_of_call(address + 1, size, 2));
    }
    CHECK(table->hold_of_call(address + piece, piece, 2));
    CHECK_FALSE(table->hold_of_call(address, 2 * piece + 1, 2));
    CHECK_FALSE(table->hold_of_call(address, 4 * piece, 2));
    for (const std::uint64_t size : {5 * piece, UINT64_MAX, UINT64_MAX - address, UINT64_MAX - piece + 1}) {
        CHECK_FALSE(table->hold_of_call(address, size, 2));
    }
    for (const std::uint64_t other : {std::uint64_t{0}, address - piece, address + 2 * piece, address + 5 * piece,
                                      address - 2 * piece, UINT64_MAX, UINT64_MAX & ~(piece - 1)}) {
        CHECK_FALSE(table->hold_of_call(other, 1, 2));
    }
    table->end_call(run);
    CHECK_FALSE(table->hold_of_call(address, 1, 2));
    for (const Extents::Run one : {before, run, behind}) { table->release(one); }
    CHECK(table->find_call(2) == nullptr);
}

TEST_CASE("no stamp of a call is another call's or a task's") {
    const std::vector<std::uint64_t> calls{1, 2, 0x3fffffff, 0x40000000, 0x40000001, std::uint64_t{1} << 61};
    for (const std::uint64_t one : calls) {
        for (const std::uint64_t other : calls) {
            CHECK((Extents::stamp_of_call(one) == Extents::stamp_of_call(other)) == (one == other));
        }
        for (const std::uint32_t slot : {0U, 1U, 0xfffffU}) {
            CHECK(Extents::stamp(slot, 0) != Extents::stamp_of_call(one));
            CHECK(Extents::stamp(slot, 0xffffffff) != Extents::stamp_of_call(one));
        }
    }
}

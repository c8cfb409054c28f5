// SPDX-License-Identifier: BSL-1.0
#include <procpool/arena.hpp>

#include <procpool/shm/shared.hpp>
#include <procpool/sync/guarded.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"

#include <map>
#include <memory>
#include <random>
#include <scoped_allocator>
#include <string>
#include <unordered_map>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

using Text = std::basic_string<char, std::char_traits<char>, ArenaAllocator<char>>;
template <class T>
using Scoped = std::scoped_allocator_adaptor<ArenaAllocator<T>>;

struct Index {
    Arena arena{1 << 20};
    std::map<int, Text, std::less<>, Scoped<std::pair<const int, Text>>> texts{arena};
    std::vector<int, ArenaAllocator<int>> numbers{arena};
    std::unordered_map<int, int, std::hash<int>, std::equal_to<>, ArenaAllocator<std::pair<const int, int>>> hashed{
        arena};
};

}  // namespace

template <>
inline constexpr bool procpool::enable_shared<Index> = true;

TEST_CASE("an arena gives memory as asked for - until it is full - and takes it back") {
    const Shared<Arena> arena{64 << 10};
    const std::size_t all = arena->free_bytes();
    CHECK(all > 60 << 10);
    std::vector<void*> pieces;
    for (const std::size_t alignment : {1, 8, 16, 64, 4096}) {
        pieces.push_back(arena->allocate(100, alignment));
        CHECK(reinterpret_cast<std::uintptr_t>(pieces.back()) % alignment == 0);
    }
    try {
        for (;;) { pieces.push_back(arena->allocate(1000)); }
    } catch (const SharedMemoryExhausted& exhausted) {
        CHECK(std::string{exhausted.what()}.find("not enough shared memory") != std::string::npos);
    }
    CHECK(pieces.size() > 50);
    for (void* const piece : pieces) { arena->deallocate(piece); }
    CHECK(arena->free_bytes() == all);
    static_cast<void>(arena->allocate(50'000));
    arena->reset();
    CHECK(arena->free_bytes() == all);
    CHECK_THROWS_AS(arena->allocate(SIZE_MAX / 2), SharedMemoryExhausted);
    CHECK_THROWS_AS(ArenaAllocator<int>{*arena}.allocate(SIZE_MAX / 2), SharedMemoryExhausted);
}

TEST_CASE("an arena too small for itself is refused") {
    CHECK_THROWS_WITH(Arena{8}, Catch::ContainsSubstring("procpool: an Arena has at least "));
    CHECK_THROWS_AS(Arena{SIZE_MAX}, SharedMemoryExhausted);
}

TEST_CASE("containers in an arena are changed by every process") {
    const Shared<Guarded<Index>> index;
    const auto insert = [&](int from) {
        for (int i = from; i < from + 300; ++i) {
            index->with([&](Index& all) {
                all.texts.emplace(i, std::string(static_cast<std::size_t>(i % 90), 'x').c_str());
                all.numbers.push_back(i);
                all.hashed[i] = -i;
            });
        }
        return 0;
    };
    const pid_t first = start_child([&] { return insert(0); });
    const pid_t second = start_child([&] { return insert(300); });
    CHECK(wait_for_child(first) == 0);
    CHECK(wait_for_child(second) == 0);
    index->with([](Index& all) {
        CHECK(all.texts.size() == 600);
        CHECK(all.texts.at(599).size() == 599 % 90);
        CHECK(all.numbers.size() == 600);
        CHECK(all.hashed.at(450) == -450);
        CHECK_THROWS_AS(all.numbers.resize(1 << 20), SharedMemoryExhausted);
        CHECK(all.numbers.size() == 600);
    });
}

TEST_CASE("SYN-06 random kills of processes that allocate: the survivor is told or finds everything whole") {
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::minstd_rand random{seed};
    int told = 0;
    for (int round = 0; round < 40; ++round) {
        const Shared<Guarded<Index>> index;
        SharedPage page;
        const Counter steps{page};
        const pid_t child = start_child([&] {
            for (unsigned i = static_cast<unsigned>(round);; i = i * 1103515245 + 12345) {
                index->with([&](Index& all) {
                    const int key = static_cast<int>(i >> 8) % 100;
                    if (i % 3 == 0) {
                        all.texts.erase(key);
                    } else {
                        all.texts.insert_or_assign(
                            key, Text(20 + (i >> 16) % 300, static_cast<char>('a' + key % 26), all.arena));
                    }
                });
                steps.add();
            }
            return 0;
        });
        steps.wait_for(1 + static_cast<std::int64_t>(random() % 200));
        kill_and_reap(child);
        try {
            index->with([&](Index& all) {
                for (const auto& [key, text] : all.texts) {
                    CHECK(text == Text(text.size(), static_cast<char>('a' + key % 26), all.arena));
                }
            });
        } catch (const OwnerDied&) {
            ++told;
            if (round % 2 == 0) {  // otherwise the value is left as it is, and not destroyed
                index->recover([](Index& all) {
                    all.arena.reset();
                    ::new (&all.texts) decltype(all.texts)(all.arena);
                    ::new (&all.numbers) decltype(all.numbers)(all.arena);
                    ::new (&all.hashed) decltype(all.hashed)(all.arena);
                });
                index->with([](Index& all) { all.texts.emplace(1, "one"); });
            }
        }
    }
    CAPTURE(told);
    CHECK(told > 0);
}

// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/heap.hpp>

#include <procpool/core/error.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/cgroup.hpp>
#include <procpool/os/memory.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/memory_group.hpp"

#include <sys/mman.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <random>
#include <span>
#include <thread>
#include <utility>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using detail::shm::Heap;

namespace {

constexpr std::size_t mega = std::size_t{1} << 20;

std::span<std::byte> bytes_of(void* memory, std::size_t size) { return {static_cast<std::byte*>(memory), size}; }

bool all_are(std::span<const std::byte> bytes, std::byte value) {
    return bytes.empty() || (bytes[0] == value && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::size_t resident_bytes(std::span<std::byte> memory) {
    auto* const begin = reinterpret_cast<std::byte*>(
        detail::round_up(reinterpret_cast<std::uintptr_t>(memory.data()), detail::os::page_size));
    const std::size_t pages = static_cast<std::size_t>(memory.data() + memory.size() - begin) / detail::os::page_size;
    std::vector<unsigned char> resident(pages);
    if (::mincore(begin, pages * detail::os::page_size, resident.data()) != 0) { return 0; }
    return static_cast<std::size_t>(
               std::ranges::count_if(resident, [](unsigned char page) { return (page & 1U) != 0; })) *
           detail::os::page_size;
}

}  // namespace

TEST_CASE("the heap of a process is one and it is its own") {
    Heap& heap = Heap::of_this_process();
    CHECK(&heap == &Heap::of_this_process());
    CHECK(heap.is_mine());
}

TEST_CASE("memory is aligned to cache lines and zero whatever its size") {
    Heap& heap = Heap::of_this_process();
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65},
                                   std::size_t{4097}, mega - 1, mega, mega + 1, 3 * mega + 17}) {
        CAPTURE(size);
        void* const memory = heap.allocate(size);
        CHECK(reinterpret_cast<std::uintptr_t>(memory) % detail::cache_line == 0);
        CHECK(heap.holds(memory));
        CHECK(all_are(bytes_of(memory, size), std::byte{0}));
        heap.deallocate(memory, size);
    }
}

TEST_CASE("memory that is used again is zero") {
    Heap& heap = Heap::of_this_process();
    for (const std::size_t size : {std::size_t{100}, std::size_t{5000}, mega - 64, mega, mega + 4000, 5 * mega + 1}) {
        CAPTURE(size);
        for (int round = 0; round < 3; ++round) {
            void* const memory = heap.allocate(size);
            CHECK(all_are(bytes_of(memory, size), std::byte{0}));
            std::memset(memory, 0xff, size);
            heap.deallocate(memory, size);
        }
    }
}

TEST_CASE("a large block is given back to the system when it is freed") {
    Heap& heap = Heap::of_this_process();
    constexpr std::size_t size = 32 * mega;
    void* const memory = heap.allocate(size);
    std::memset(memory, 1, size);
    CHECK(resident_bytes(bytes_of(memory, size)) > 31 * mega);
    heap.deallocate(memory, size);
    CHECK(resident_bytes(bytes_of(memory, size)) < mega);
}

TEST_CASE("more than there is is an exception and nothing is held") {
    Heap& heap = Heap::of_this_process();
    const std::size_t free_before = heap.free_bytes();
    for (const std::size_t size : {free_before + mega, std::size_t{1} << 50, SIZE_MAX / 2, SIZE_MAX - 62, SIZE_MAX}) {
        CAPTURE(size);
        CHECK_THROWS_AS(heap.allocate(size), SharedMemoryExhausted);
        CHECK(heap.free_bytes() == free_before);
    }
    const std::uint64_t available = detail::os::Limits{}.available_memory();
    if (available + mega < free_before) {  // more than the machine has, but not more than the heap
        CHECK_THROWS_AS(heap.allocate(available + mega), SharedMemoryExhausted);
        CHECK(heap.free_bytes() == free_before);
    }
    void* const memory = heap.allocate(1000);
    CHECK(all_are(bytes_of(memory, 1000), std::byte{0}));
    heap.deallocate(memory, 1000);
}

TEST_CASE("blocks of all sizes - freed in any order - do not overlap and leave nothing behind") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    std::lognormal_distribution<double> sizes{7.0, 2.5};
    Heap& heap = Heap::of_this_process();
    const std::size_t free_before = heap.free_bytes();

    struct Block {
        std::size_t size;
        std::byte mark;
    };
    std::map<std::byte*, Block> live;
    const auto free_one = [&](std::map<std::byte*, Block>::iterator it) {
        const bool intact = all_are({it->first, it->second.size}, it->second.mark);
        heap.deallocate(it->first, it->second.size);
        live.erase(it);
        return intact;
    };
    bool intact = true;
    bool disjoint = true;
    bool zero = true;
    for (int i = 0; i < 5000; ++i) {
        while (live.size() >= 50) {
            intact = free_one(std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()))) && intact;
        }
        const std::size_t size = std::min(static_cast<std::size_t>(sizes(random)), 2 * mega);
        auto* const memory = static_cast<std::byte*>(heap.allocate(size));
        zero = all_are({memory, size}, std::byte{0}) && zero;
        const auto mark = static_cast<std::byte>(1 + random() % 255);
        std::memset(memory, static_cast<int>(mark), size);
        const auto [at, fresh] = live.emplace(memory, Block{size, mark});
        disjoint = disjoint && fresh && heap.holds(memory);
        if (const auto next = std::next(at); next != live.end()) {
            disjoint = disjoint && memory + size <= next->first;
        }
        if (at != live.begin()) {
            const auto before = std::prev(at);
            disjoint = disjoint && before->first + before->second.size <= memory;
        }
    }
    while (!live.empty()) { intact = free_one(live.begin()) && intact; }
    CHECK(intact);
    CHECK(disjoint);
    CHECK(zero);
    CHECK(heap.free_bytes() == free_before);
}

TEST_CASE("blocks lie apart so that what is written beyond one harms no other and not the heap") {
    Heap& heap = Heap::of_this_process();
    const std::size_t free_before = heap.free_bytes();
    for (const std::size_t size :
         {std::size_t{8}, std::size_t{64}, std::size_t{1000}, std::size_t{64} << 10, mega, 3 * mega + 8}) {
        CAPTURE(size);
        const std::size_t apart = size < std::size_t{64} << 10 ? detail::cache_line : detail::os::page_size;
        std::vector<std::byte*> blocks;
        for (int i = 0; i < 20; ++i) {
            blocks.push_back(static_cast<std::byte*>(heap.allocate(size)));
            std::memset(blocks.back(), 1, size);
        }
        for (const std::size_t i : {2, 3, 7}) { heap.deallocate(std::exchange(blocks[i], nullptr), size); }
        CHECK(in_child([&] {
                  for (std::byte* const block : blocks) {
                      if (block != nullptr) { std::memset(block + size, 0x41, apart); }
                  }
                  return 0;
              }) == 0);
        bool intact = true;
        for (std::byte* const block : blocks) {
            intact = intact && (block == nullptr || all_are({block, size}, std::byte{1}));
        }
        CHECK(intact);
        for (std::byte*& block : blocks) {  // also where such a write has been
            if (block != nullptr) { heap.deallocate(block, size); }
            block = static_cast<std::byte*>(heap.allocate(size / 2));
            intact = intact && all_are({block, size / 2}, std::byte{0});
        }
        CHECK(intact);
        for (std::byte* const block : blocks) { heap.deallocate(block, size / 2); }
        CHECK(heap.free_bytes() == free_before);
    }
}

TEST_CASE("freed small blocks keep memory for the next ones but not any amount") {
    Heap& heap = Heap::of_this_process();
    constexpr std::size_t size = 900 << 10;
    constexpr std::size_t count = 200;
    static_assert(size * count > 2 * Heap::keep_warm);
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < count; ++i) { blocks.push_back(heap.allocate(size)); }
    const auto resident = [&] {
        std::size_t bytes = 0;
        for (void* const block : blocks) { bytes += resident_bytes(bytes_of(block, size)); }
        return bytes;
    };
    CHECK(resident() > size * count * 9 / 10);
    for (void* const block : blocks) { heap.deallocate(block, size); }
    CHECK(resident() <= Heap::keep_warm + size);
    void* const again = heap.allocate(size);
    heap.deallocate(again, size);
    CHECK(resident_bytes(bytes_of(again, size)) > size / 2);
}

TEST_CASE("in a group many small blocks are refused before anybody is killed", "[serial]") {
    const MemoryGroup group{std::size_t{128} << 20};
    if (!group) { return; }
    const std::size_t size = GENERATE(std::size_t{100}, std::size_t{5000}, std::size_t{900} << 10);
    CHECK(in_child([&] {
              if (!group.join()) { return 50; }
              Heap& heap = Heap::of_this_process();  // of the child's own
              const auto fill = [&] {
                  std::vector<void*> blocks;
                  std::size_t bytes = 0;
                  try {
                      for (;; bytes += size) { blocks.push_back(heap.allocate(size)); }
                  } catch (const SharedMemoryExhausted&) {}
                  return std::pair{std::move(blocks), bytes};
              };
              auto [blocks, bytes] = fill();
              if (bytes < (std::size_t{20} << 20)) { return 1; }
              for (void* const block : blocks) { heap.deallocate(block, size); }
              std::vector<void*>{}.swap(blocks);
              // Memory kept for the next small blocks is no reason to refuse a large one.
              try {
                  void* const large = heap.allocate(std::size_t{64} << 20);
                  heap.deallocate(large, std::size_t{64} << 20);
              } catch (const SharedMemoryExhausted&) { return 2; }
              return 0;
          }) == 0);
}

TEST_CASE("threads allocate and free at the same time", "[thread]") {
    Heap& heap = Heap::of_this_process();
    const std::size_t free_before = heap.free_bytes();
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            std::mt19937_64 random{static_cast<std::uint64_t>(t)};
            std::vector<std::span<std::byte>> mine;
            const auto mark = static_cast<std::byte>(t + 1);
            for (std::size_t i = 0; i < 500; ++i) {
                if (mine.size() == 20) {
                    if (!all_are(mine[i % 20], mark)) { ++wrong; }
                    heap.deallocate(mine[i % 20].data(), mine[i % 20].size());
                    std::swap(mine[i % 20], mine.back());
                    mine.pop_back();
                }
                const std::size_t size = 1 + random() % 3000;
                mine.push_back(bytes_of(heap.allocate(size), size));
                if (!all_are(mine.back(), std::byte{0})) { ++wrong; }
                std::ranges::fill(mine.back(), mark);
            }
            for (const std::span<std::byte> one : mine) { heap.deallocate(one.data(), one.size()); }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(wrong == 0);
    CHECK(heap.free_bytes() == free_before);
}

TEST_CASE("a child reads and writes the parent's blocks; its frees are ignored") {
    Heap& heap = Heap::of_this_process();
    const std::size_t size = GENERATE(std::size_t{1000}, 2 * mega);
    void* const memory = heap.allocate(size);
    std::memset(memory, 5, size);
    const std::size_t free_before = heap.free_bytes();
    CHECK(in_child([&] {
              if (heap.is_mine() || !all_are(bytes_of(memory, size), std::byte{5})) { return 1; }
              static_cast<std::byte*>(memory)[size - 1] = std::byte{6};
              heap.deallocate(memory, size);
              return 0;
          }) == 0);
    CHECK(heap.free_bytes() == free_before);
    CHECK(all_are(bytes_of(memory, size - 1), std::byte{5}));
    CHECK(static_cast<std::byte*>(memory)[size - 1] == std::byte{6});
    heap.deallocate(memory, size);
}

TEST_CASE("what a child allocates comes from a heap of its own") {
    Heap& heap = Heap::of_this_process();
    const std::size_t free_before = heap.free_bytes();
    void* const inherited = heap.allocate(100);
    CHECK(in_child([&] {
              Heap& own = Heap::of_this_process();
              if (&own == &heap || !own.is_mine() || heap.is_mine()) { return 1; }
              void* const memory = own.allocate(1000);
              if (!own.holds(memory) || heap.holds(memory)) { return 2; }

              // Which processes share it, seen from here.
              if (!detail::shm::is_shared_with_parent(inherited) || !detail::shm::is_shared_with_children(inherited)) {
                  return 3;
              }
              if (detail::shm::is_shared_with_parent(memory) || !detail::shm::is_shared_with_children(memory)) {
                  return 4;
              }
              if (detail::shm::heap_of(memory) != &own || detail::shm::heap_of(inherited) != &heap) { return 5; }

              const int grandchild = in_child([&] {
                  if (!detail::shm::is_shared_with_parent(memory) || !detail::shm::is_shared_with_parent(inherited)) {
                      return 10;
                  }
                  *static_cast<int*>(memory) = 17;
                  *static_cast<int*>(inherited) = 18;
                  own.deallocate(memory, 1000);
                  Heap& newest = Heap::of_this_process();
                  return &newest != &own && &newest != &heap ? 0 : 11;
              });
              if (grandchild != 0) { return grandchild; }
              if (*static_cast<int*>(memory) != 17) { return 6; }
              own.deallocate(memory, 1000);
              return 0;
          }) == 0);
    CHECK(*static_cast<int*>(inherited) == 18);
    heap.deallocate(inherited, 100);
    CHECK(heap.free_bytes() == free_before);
}

TEST_CASE("two processes allocate at the same time") {
    const auto churn = [] {
        Heap& heap = Heap::of_this_process();
        for (int i = 0; i < 2000; ++i) {
            const std::size_t size = 1 + static_cast<std::size_t>(i) * 7 % 5000;
            void* const memory = heap.allocate(size);
            if (!all_are(bytes_of(memory, size), std::byte{0})) { return 1; }
            std::memset(memory, 1 + i % 200, size);
            heap.deallocate(memory, size);
        }
        return 0;
    };
    const pid_t child = start_child(churn);
    CHECK(churn() == 0);
    CHECK(wait_for_child(child) == 0);
}

TEST_CASE("an address of this process's own memory is in no heap") {
    const int on_stack = 0;
    CHECK(detail::shm::heap_of(&on_stack) == nullptr);
    CHECK_FALSE(detail::shm::is_shared_with_children(&on_stack));
    CHECK_FALSE(detail::shm::is_shared_with_parent(&on_stack));
    CHECK(detail::shm::heap_of(nullptr) == nullptr);
    Heap& heap = Heap::of_this_process();
    void* const memory = heap.allocate(1);
    CHECK(detail::shm::heap_of(memory) == &heap);
    CHECK(detail::shm::is_shared_with_children(memory));
    CHECK_FALSE(detail::shm::is_shared_with_parent(memory));
    heap.deallocate(memory, 1);
}

TEST_CASE("threads of a fresh child that need its heap first get the same one") {
    CHECK(in_child([] {
              std::array<Heap*, 4> seen{};
              std::atomic<int> waiting{4};
              std::vector<std::thread> threads;
              for (Heap*& one : seen) {
                  threads.emplace_back([&] {
                      --waiting;
                      while (waiting != 0) { std::this_thread::yield(); }
                      one = &Heap::of_this_process();
                  });
              }
              for (std::thread& thread : threads) { thread.join(); }
              for (Heap* const one : seen) {
                  if (one != seen[0] || !one->is_mine()) { return 1; }
              }
              return 0;
          }) == 0);
}

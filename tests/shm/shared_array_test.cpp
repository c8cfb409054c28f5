// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared_array.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#if __has_include(<boost/interprocess/managed_external_buffer.hpp>)
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#define PROCPOOL_TEST_HAS_BOOST
#endif
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <ranges>
#include <utility>
#include <vector>

using namespace procpool;
using namespace procpool_test;

static_assert(std::ranges::contiguous_range<SharedArray<int>> && std::ranges::sized_range<SharedArray<int>>);

namespace {
std::size_t free_bytes() { return detail::shm::Heap::of_this_process().free_bytes(); }
}  // namespace

TEST_CASE("an array begins as zeros also where another one was") {
    for (int round = 0; round < 2; ++round) {
        const SharedArray<std::uint64_t> array{300'000};
        CHECK(array.size() == 300'000);
        CHECK(std::ranges::all_of(array, [](std::uint64_t one) { return one == 0; }));
        std::ranges::fill(array, ~std::uint64_t{0});
    }
}

TEST_CASE("children write into an array of their parent") {
    const SharedArray<int> array{1000};
    CHECK(in_child([&] {
              std::iota(array.begin(), array.end(), 0);
              return 0;
          }) == 0);
    CHECK(array[0] == 0);
    CHECK(array[999] == 999);
    CHECK(std::accumulate(array.begin(), array.end(), 0) == 999 * 500);
    CHECK(array.span().data() == array.data());
    CHECK(array.span().size() == 1000);
}

TEST_CASE("an array of atomics is counted in by all") {
    const SharedArray<std::atomic<int>> counters{3};
    CHECK(in_child([&] {
              ++counters[1];
              return 0;
          }) == 0);
    ++counters[1];
    CHECK(counters[0] == 0);
    CHECK(counters[1] == 2);
}

TEST_CASE("an array is freed by its owner only") {
    const std::size_t before = free_bytes();
    {
        std::optional<SharedArray<int>> array{1000};
        std::ranges::fill(*array, 4);
        CHECK(in_child([&] {
                  array.reset();
                  return 0;
              }) == 0);
        CHECK(std::ranges::count(*array, 4) == 1000);
        CHECK(free_bytes() < before);
    }
    CHECK(free_bytes() == before);
}

TEST_CASE("an array moves without moving its elements") {
    const std::size_t before = free_bytes();
    {
        SharedArray<int> first{10};
        int* const data = first.data();
        SharedArray<int> second{std::move(first)};
        CHECK(second.data() == data);
        CHECK(first.empty());  // NOLINT(bugprone-use-after-move): it is empty
        SharedArray<int> third{20};
        third = std::move(second);
        CHECK(third.data() == data);
        CHECK(third.size() == 10);
    }
    CHECK(free_bytes() == before);
}

#ifdef PROCPOOL_TEST_HAS_BOOST
TEST_CASE("containers of Boost.Interprocess live in a segment of their own within an array") {
    namespace ipc = boost::interprocess;
    const SharedArray<std::byte> memory{std::size_t{1} << 20};
    ipc::managed_external_buffer segment{ipc::create_only, memory.data(), memory.size()};
    using Numbers = std::vector<int, ipc::allocator<int, ipc::managed_external_buffer::segment_manager>>;
    auto* const numbers = segment.construct<Numbers>("numbers")(segment.get_segment_manager());
    CHECK(in_child([&] {
              for (int i = 0; i < 1000; ++i) { numbers->push_back(i); }
              return 0;
          }) == 0);
    CHECK(numbers->size() == 1000);
    CHECK(std::accumulate(numbers->begin(), numbers->end(), 0) == 999 * 500);
}
#endif

TEST_CASE("an array of nothing is empty") {
    const SharedArray<double> array{0};
    CHECK(array.empty());
    CHECK(array.begin() == array.end());
    CHECK(array.span().empty());
}

TEST_CASE("an array that cannot be had is an exception") {
    const std::size_t before = free_bytes();
    CHECK_THROWS_AS(SharedArray<double>{SIZE_MAX}, SharedMemoryExhausted);
    CHECK_THROWS_AS(SharedArray<double>{SIZE_MAX / 8 + 1},
                    SharedMemoryExhausted);  // its size in bytes wraps to a small number
    CHECK_THROWS_AS(SharedArray<char>{SIZE_MAX / 2}, SharedMemoryExhausted);
    CHECK_THROWS_AS(SharedArray<double>{std::size_t{1} << 50}, SharedMemoryExhausted);
    CHECK(free_bytes() == before);
}

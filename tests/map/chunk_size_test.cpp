// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/chunk_size.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

using namespace std::chrono_literals;
using procpool::detail::map::ChunkSize;

TEST_CASE("a fixed chunk size is not adapted but the last chunk has only the items that are left") {
    ChunkSize sizes{30, 100, 2, 4};
    CHECK(sizes.is_fixed());
    for (const std::size_t expected : {30, 30, 30, 10}) {
        CHECK(sizes.wanted() == 30);
        CHECK(sizes.hand_out(sizes.wanted()) == expected);
        sizes.measured(expected, 1h);
    }
    CHECK(sizes.hand_out(30) == 0);
}

TEST_CASE("items that could not be submitted are handed out again") {
    ChunkSize sizes{30, 40, 2, 4};
    CHECK(sizes.hand_out(30) == 30);
    CHECK(sizes.hand_out(30) == 10);
    sizes.put_back(10);
    CHECK(sizes.hand_out(30) == 10);
}

TEST_CASE("the first chunks hold single items until one has been measured") {
    ChunkSize sizes{0, 1'000'000, 2, 4};
    CHECK_FALSE(sizes.is_fixed());
    CHECK(sizes.wanted() == 1);
    CHECK(sizes.cost() == 0);
    CHECK(sizes.time_of(1000) == 0ns);
    sizes.measured(0, 1h);
    CHECK(sizes.wanted() == 1);
}

TEST_CASE("a small sample makes chunks grow by no more than 64 times") {
    ChunkSize sizes{0, 1'000'000, 2, 4};
    sizes.measured(1, 1ns);
    CHECK(sizes.wanted() == 64);
    sizes.measured(64, 64ns);
    CHECK(sizes.wanted() == 64 * 64);
}

TEST_CASE("chunks of cheap items are worth the cost of handing them over") {
    ChunkSize sizes{0, std::nullopt, 2, 0};
    sizes.measured(1'000'000, 100ms);
    CHECK(std::lround(sizes.cost()) == 100);
    const std::size_t items = sizes.wanted();
    CHECK(sizes.time_of(items) >= 40us);
    CHECK(sizes.time_of(items) <= 60us);
    CHECK(items % 64 == 0);
}

TEST_CASE("chunks of costly items get smaller towards the end") {
    ChunkSize sizes{0, 800, 2, 0};
    sizes.measured(100, 100ms);
    std::size_t last = SIZE_MAX;
    std::size_t left = 800;
    while (left != 0) {
        const std::size_t items = sizes.hand_out(sizes.wanted());
        CHECK(items <= last);
        CHECK(items <= left / 8 + 1);
        last = items;
        left -= items;
    }
    CHECK(last == 1);
}

TEST_CASE("items that are copied fill at most 60 KiB of a chunk") {
    ChunkSize copied{0, 1'000'000'000, 2, 1024};
    copied.measured(1'000'000, 1ms);
    CHECK(copied.wanted() == 60);
    ChunkSize large{0, 1'000'000'000, 2, std::size_t{1} << 20};
    large.measured(1'000'000, 1ms);
    CHECK(large.wanted() == 1);
}

TEST_CASE("a large sample counts for more than smaller ones that follow") {
    ChunkSize sizes{0, std::nullopt, 2, 0};
    sizes.measured(1000, 1000us);
    CHECK(std::lround(sizes.cost()) == 1000);
    sizes.measured(1, 11us);
    CHECK(std::lround(sizes.cost()) == 2000);
    sizes.measured(1000, 4000us);
    CHECK(std::lround(sizes.cost()) == 3000);
}

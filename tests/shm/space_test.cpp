// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/space.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <utility>
#include <vector>

using procpool::detail::shm::Space;

namespace {

std::vector<std::pair<std::size_t, std::size_t>> free_pieces(const Space& space) {
    std::vector<std::pair<std::size_t, std::size_t>> all;
    space.for_each_free([&](std::size_t offset, std::size_t size) { all.emplace_back(offset, size); });
    std::ranges::sort(all);
    return all;
}
using Pieces = std::vector<std::pair<std::size_t, std::size_t>>;

}  // namespace

TEST_CASE("a space begins free and what is released is joined to its neighbours") {
    Space space{100};
    CHECK(space.free_bytes() == 100);
    const std::size_t a = space.take(10).value();
    const std::size_t b = space.take(20).value();
    const std::size_t c = space.take(30).value();
    CHECK(std::vector{a, b, c} == std::vector<std::size_t>{0, 10, 30});
    CHECK(free_pieces(space) == Pieces{{60, 40}});
    space.release(a);
    CHECK(free_pieces(space) == Pieces{{0, 10}, {60, 40}});
    space.release(c);
    CHECK(free_pieces(space) == Pieces{{0, 10}, {30, 70}});
    CHECK(space.free_bytes() == 80);
    space.release(b);
    CHECK(free_pieces(space) == Pieces{{0, 100}});
}

TEST_CASE("the free piece that fits best is taken and of those the first") {
    Space space{100};
    std::vector<std::size_t> taken;
    for (const std::size_t size : {10, 1, 5, 1, 10, 1, 5, 1}) { taken.push_back(space.take(size).value()); }
    for (const std::size_t i : {0, 2, 4, 6}) { space.release(taken[i]); }
    CHECK(space.take(5) == taken[2]);
    CHECK(space.take(4) == taken[6]);
    CHECK(space.take(6) == taken[0]);
    CHECK(space.take(11) == 34);
}

TEST_CASE("what does not fit is not taken") {
    Space space{100};
    CHECK(space.take(101) == std::nullopt);
    CHECK(space.take(100) == 0);
    CHECK(space.free_bytes() == 0);
    CHECK(space.take(1) == std::nullopt);
    CHECK(free_pieces(space).empty());
    space.release(0);
    CHECK(space.take(40) == 0);
    CHECK(space.take(40) == 40);
    space.release(0);
    CHECK(space.take(50) == std::nullopt);  // 60 are free, but apart
    CHECK(space.free_bytes() == 60);
    Space none{0};
    CHECK(none.take(1) == std::nullopt);
}

TEST_CASE("a space that is used at random agrees with a list of its bytes") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    constexpr std::size_t size = 2000;
    Space space{size};
    std::vector<bool> is_taken(size);
    std::vector<std::pair<std::size_t, std::size_t>> taken;
    const auto longest_free = [&] {
        std::size_t longest = 0;
        std::size_t now = 0;
        for (const bool one : is_taken) { longest = std::max(longest, now = one ? 0 : now + 1); }
        return longest;
    };
    bool right = true;
    for (int i = 0; i < 3000; ++i) {
        if (random() % 2 == 0 && !taken.empty()) {
            std::swap(taken[random() % taken.size()], taken.back());
            const auto [offset, length] = taken.back();
            taken.pop_back();
            space.release(offset);
            std::fill_n(is_taken.begin() + static_cast<std::ptrdiff_t>(offset), length, false);
        } else {
            const std::size_t wanted = 1 + random() % 200;
            const std::optional<std::size_t> offset = space.take(wanted);
            right = right && offset.has_value() == (longest_free() >= wanted);
            if (!offset) { continue; }
            for (std::size_t at = *offset; at < *offset + wanted; ++at) {
                right = right && at < size && !is_taken[at];
                is_taken[at] = true;
            }
            taken.emplace_back(*offset, wanted);
        }
        right = right && space.free_bytes() == static_cast<std::size_t>(std::ranges::count(is_taken, false));
    }
    CHECK(right);
    for (const auto& [offset, length] : taken) { space.release(offset); }
    CHECK(free_pieces(space) == Pieces{{0, size}});
}

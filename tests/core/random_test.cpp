// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/random.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

using procpool::Random;
using procpool::detail::core::philox4x32;

namespace {

using Words = std::array<std::uint32_t, 4>;

static_assert(std::uniform_random_bit_generator<Random>);
static_assert(std::is_trivially_copyable_v<Random>);
static_assert(Random::min() == 0 && Random::max() == std::numeric_limits<std::uint64_t>::max());
static_assert(!std::is_convertible_v<int, Random>, "a number is no engine");
static_assert(Random{7, 1} != Random{7, 2} && Random{7, 1} != Random{8, 1} && Random{} == Random{0, 0});

/// Returns: the number at `index` of a stream, of the block function alone.
constexpr std::uint64_t number_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    const std::uint64_t block = index / 2;
    const auto low = [](std::uint64_t n) { return static_cast<std::uint32_t>(n & 0xffffffff); };
    const auto high = [](std::uint64_t n) { return static_cast<std::uint32_t>(n >> 32); };
    const Words words = philox4x32({low(block), high(block), low(stream), high(stream)}, {low(seed), high(seed)});
    return index % 2 == 0 ? words[0] + (std::uint64_t{words[1]} << 32) : words[2] + (std::uint64_t{words[3]} << 32);
}

constexpr std::uint64_t third_of(Random random) {
    random();
    random();
    return random();
}
static_assert(third_of(Random{5, 6}) == number_at(5, 6, 2), "at compile time too");

// kat_vectors of Random123, philox4x32 with 10 rounds.
static_assert(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
static_assert(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
              Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
static_assert(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});

TEST_CASE("Random: the block function gives the known answers at run time") {
    volatile std::uint32_t zero = 0;
    const std::uint32_t all = ~zero;
    CHECK(philox4x32({zero, zero, zero, zero}, {zero, zero}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(philox4x32({all, all, all, all}, {all, all}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}

TEST_CASE("Random: two numbers a block with the low words first") {
    Random random{0, 0};
    CHECK(random() == 0xe169c58d6627e8d5);
    CHECK(random() == 0x9b00dbd8bc57ac4c);
    // the digits of pi as seed, stream and block
    Random pi{0x299f31d0a4093822, 0x0370734413198a2e};
    pi.discard(2 * (0x85a308d3243f6a88 % (std::uint64_t{1} << 63)));  // the block's highest bit is out of reach
    CHECK(pi() == number_at(0x299f31d0a4093822, 0x0370734413198a2e, 2 * 0x85a308d3243f6a88));
}

TEST_CASE("Random: these numbers never change") {
    Random random{2011, 0x1'0000'0007};
    const std::vector<std::uint64_t> published{0x3f3d887858e45d7e, 0x50eefe3916b47f6b, 0xee36d7a116784b86,
                                               0x89dd14523c05dddd};
    for (const std::uint64_t expected : published) { CHECK(random() == expected); }
}

TEST_CASE("Random: each number is that of its place in the stream") {
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0x8000000000000001}}) {
        for (const std::uint64_t stream : {std::uint64_t{0}, std::uint64_t{3}, ~std::uint64_t{0}}) {
            Random random{seed, stream};
            for (std::uint64_t i = 0; i < 9; ++i) { CHECK(random() == number_at(seed, stream, i)); }
        }
    }
}

TEST_CASE("Random: discard is as many calls") {
    for (std::uint64_t first = 0; first < 5; ++first) {
        for (std::uint64_t passed = 0; passed < 7; ++passed) {
            CAPTURE(first, passed);
            Random called{3, 4};
            for (std::uint64_t i = 0; i < first + passed; ++i) { called(); }
            Random jumped{3, 4};
            for (std::uint64_t i = 0; i < first; ++i) { jumped(); }
            jumped.discard(passed);
            CHECK(jumped == called);
            CHECK(std::memcmp(&jumped, &called, sizeof jumped) == 0);
            CHECK(jumped() == called());
        }
    }
    Random far{3, 4};
    far.discard(std::uint64_t{1} << 62);  // at once
    CHECK(far() == number_at(3, 4, std::uint64_t{1} << 62));
    far.discard(std::numeric_limits<std::uint64_t>::max());  // all around: back by one
    CHECK(far() == number_at(3, 4, std::uint64_t{1} << 62));
}

TEST_CASE("Random: seeds are as constructors") {
    Random random{9, 9};
    random();
    random.seed();
    CHECK(random == Random{});
    random();
    random.seed(4);
    CHECK(random == Random{4});
    random.seed(4, 2);
    CHECK(random == Random{4, 2});
    std::seed_seq words{1, 2, 3};
    std::array<std::uint32_t, 4> made{};
    words.generate(made.begin(), made.end());
    const Random of_words{words};
    CHECK(of_words == Random{made[0] + (std::uint64_t{made[1]} << 32), made[2] + (std::uint64_t{made[3]} << 32)});
    random.seed(words);
    CHECK(random == of_words);
}

TEST_CASE("Random: the state goes through streams of characters") {
    Random random{std::numeric_limits<std::uint64_t>::max(), 12};
    for (int given = 0; given < 3; ++given) {
        std::stringstream text;
        text << std::hex << std::showbase;
        text.fill('*');
        text << random;
        CHECK(text.str() == "18446744073709551615 12 " + std::to_string(given));
        CHECK(text.fill() == '*');
        CHECK((text.flags() & std::ios::hex) != 0);
        Random read;
        CHECK(text >> read);
        CHECK(read == random);
        CHECK(read() == Random{random}());
        random();
    }
    Random kept{1, 2};
    std::istringstream wrong{"5 6 x"};
    CHECK_FALSE(wrong >> kept);
    CHECK(kept == Random{1, 2});
}

TEST_CASE("Random: distributions and shuffles take it") {
    Random random{1, 1};
    double sum = 0;
    constexpr int n = 20'000;
    for (int i = 0; i < n; ++i) { sum += std::uniform_real_distribution<>{}(random); }
    CHECK(sum / n > 0.49);  // seven standard deviations
    CHECK(sum / n < 0.51);
    std::vector<int> all(100);
    for (int i = 0; i < 100; ++i) { all[static_cast<std::size_t>(i)] = i; }
    std::vector<int> shuffled = all;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    CHECK(shuffled != all);
    CHECK(std::is_permutation(shuffled.begin(), shuffled.end(), all.begin()));
}

TEST_CASE("Random: neighbouring streams and seeds share no numbers") {
    std::set<std::uint64_t> seen;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        for (std::uint64_t stream = 0; stream < 10; ++stream) {
            Random random{seed, stream};
            for (int i = 0; i < 10; ++i) { seen.insert(random()); }
        }
    }
    CHECK(seen.size() == 1000);
}

}  // namespace

// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/links.hpp>

#include "support/catch.hpp"

#include <cstdint>

using procpool::detail::task::Links;

TEST_CASE("a word of links has the number of its task and the rest apart") {
    constexpr std::uint32_t values[] = {0, 1, 0x7fffffff, 0x80000000, Links::closed};
    for (const std::uint32_t number : values) {
        for (const std::uint32_t rest : values) {
            const std::uint64_t word = Links::word(number, rest);
            CHECK(Links::number_of(word) == number);
            CHECK(Links::rest_of(word) == rest);
        }
    }
    CHECK(Links::word(0, 0) == 0);  // as memory that nobody has written
}

TEST_CASE("a task misses something while a bit is set that stands for it") {
    CHECK_FALSE(Links::misses_any(Links::word(7, 0)));
    CHECK_FALSE(Links::misses_any(Links::word(7, Links::was_cancelled)));
    for (std::uint32_t bit = 0; bit < Links::bits; ++bit) {
        CHECK(Links::misses_any(Links::word(0, std::uint32_t{1} << bit)));
        CHECK(Links::misses_any(Links::word(7, Links::was_cancelled | std::uint32_t{1} << bit)));
    }
}

TEST_CASE("dependencies beside the bit of the submission take as many words as there are bits for them") {
    CHECK(Links::words_for(0) == 1);
    CHECK(Links::words_for(1) == 1);
    for (std::uint32_t dependencies = 1; dependencies < 1000; ++dependencies) {
        const std::uint32_t words = Links::words_for(dependencies);
        CHECK(dependencies + 1 <= words * Links::bits);
        CHECK(dependencies + 1 > (words - 1) * Links::bits);
    }
}

// SPDX-License-Identifier: BSL-1.0
#include <procpool/persist/checksum.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string_view>
#include <vector>

using procpool::detail::persist::checksum_of;

namespace {

std::uint64_t checksum(std::string_view text, std::uint64_t seed = 0) {
    return checksum_of(std::as_bytes(std::span{text}), seed);
}

TEST_CASE("checksum: it is XXH64 as its specification has it") {
    CHECK(checksum("") == 0xef46db3751d8e999);
    CHECK(checksum("a") == 0xd24ec4f1a98c6e5b);
    CHECK(checksum("abc") == 0x44bc2cf5ad770999);
    CHECK(checksum("Nobody inspects the spammish repetition") == 0xfbcea83c8a378bf1);
    CHECK(checksum("xxhash", 20141025) == 0xb559b98d844e0635);
}

TEST_CASE("checksum: every bit and every byte of up to 100 counts") {
    std::set<std::uint64_t> seen;
    std::size_t different = 0;
    for (std::size_t size = 0; size <= 100; ++size) {
        std::vector<std::byte> bytes(size);
        seen.insert(checksum_of(bytes));
        ++different;
        for (std::size_t bit = 0; bit < 8 * size; ++bit) {
            bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
            seen.insert(checksum_of(bytes));
            ++different;
            bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
        }
    }
    CHECK(seen.size() == different);
}

}  // namespace

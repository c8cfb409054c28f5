// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/persist/checksum.hpp>

#include <bit>
#include <cstring>

namespace procpool::inline v0::detail::persist {

/// The primes and the rounds of XXH64.
struct Xxh64 {
    static constexpr std::uint64_t prime1 = 0x9e3779b185ebca87;
    static constexpr std::uint64_t prime2 = 0xc2b2ae3d27d4eb4f;
    static constexpr std::uint64_t prime3 = 0x165667b19e3779f9;
    static constexpr std::uint64_t prime4 = 0x85ebca77c2b2ae63;
    static constexpr std::uint64_t prime5 = 0x27d4eb2f165667c5;

    template <class Word>
    [[nodiscard]] static std::uint64_t word_at(const std::byte* at) noexcept {
        Word word;
        std::memcpy(&word, at, sizeof word);
        return word;
    }
    [[nodiscard]] static std::uint64_t round(std::uint64_t lane, std::uint64_t word) noexcept {
        return std::rotl(lane + word * prime2, 31) * prime1;
    }
    [[nodiscard]] static std::uint64_t merge(std::uint64_t hash, std::uint64_t lane) noexcept {
        return (hash ^ round(0, lane)) * prime1 + prime4;
    }
};

PROCPOOL_DECL std::uint64_t checksum_of(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
    using X = Xxh64;
    constexpr std::size_t stripe = 32;
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t hash = seed + X::prime5;
    if (left >= stripe) {
        std::uint64_t lanes[4] = {seed + X::prime1 + X::prime2, seed + X::prime2, seed, seed - X::prime1};
        for (; left >= stripe; left -= stripe) {
            for (std::uint64_t& lane : lanes) {
                lane = X::round(lane, X::word_at<std::uint64_t>(at));
                at += sizeof lane;
            }
        }
        hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
        for (const std::uint64_t lane : lanes) { hash = X::merge(hash, lane); }
    }
    hash += bytes.size();
    for (; left >= sizeof(std::uint64_t); left -= sizeof(std::uint64_t), at += sizeof(std::uint64_t)) {
        hash = std::rotl(hash ^ X::round(0, X::word_at<std::uint64_t>(at)), 27) * X::prime1 + X::prime4;
    }
    for (; left >= sizeof(std::uint32_t); left -= sizeof(std::uint32_t), at += sizeof(std::uint32_t)) {
        hash = std::rotl(hash ^ X::word_at<std::uint32_t>(at) * X::prime1, 23) * X::prime2 + X::prime3;
    }
    for (; left != 0; --left, ++at) {
        hash = std::rotl(hash ^ X::word_at<std::uint8_t>(at) * X::prime5, 11) * X::prime1;
    }
    hash = (hash ^ hash >> 33) * X::prime2;
    hash = (hash ^ hash >> 29) * X::prime3;
    return hash ^ hash >> 32;
}

}  // namespace procpool::detail::persist

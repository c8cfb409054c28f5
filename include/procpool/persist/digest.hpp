// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Digests of bytes, by xxHash: fast, and not against those who mean harm.

#include <procpool/core/requirements.hpp>

#include <xxhash.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace procpool::inline v0::detail::persist {

/// 128 bits that stand for the bytes they were made of.
struct Digest {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    [[nodiscard]] auto operator<=>(const Digest&) const = default;
};

[[nodiscard]] inline Digest digest_of(std::span<const std::byte> bytes) noexcept {
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return {hash.high64, hash.low64};
}

/// seed: what else the sum depends on.
[[nodiscard]] inline std::uint64_t checksum_of(const void* bytes, std::size_t size, std::uint64_t seed = 0) noexcept {
    return XXH3_64bits_withSeed(bytes, size, seed);
}

}  // namespace procpool::detail::persist

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// checksum_of(): a hash of bytes that finds accidental change. Not against those who mean harm.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace procpool::inline v0::detail::persist {

/// XXH64 of Yann Collet (specification 0.1.1), some 10 bytes a nanosecond. The same for all builds and machines of one
/// byte order. seed: a checksum of what comes before, so that parts that are not in one piece have one checksum.
[[nodiscard]] std::uint64_t checksum_of(std::span<const std::byte> bytes, std::uint64_t seed = 0) noexcept;

}  // namespace procpool::detail::persist

#if PROCPOOL_BODIES
#include <procpool/persist/checksum.ipp>
#endif

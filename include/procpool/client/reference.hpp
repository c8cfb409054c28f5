// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Reference: names memory that the arguments of many tasks refer to.

#include <procpool/core/config.hpp>

#include <cstdint>

namespace procpool::inline v0::detail::client {

/// A run of argument memory that belongs to no slot: see CallMemory.
struct Reference {
    std::uint64_t number;  ///< see Client::next_call()
    std::uint64_t address;
    std::uint64_t size;
};

}  // namespace procpool::detail::client

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// start_of_process(): tells a process from a later one that has got its number.

#include <procpool/core/config.hpp>

#include <cstdint>

namespace procpool::inline v0::detail::os {

/// Returns: when the process of that number started, in ticks since the machine did; 0 when there is none, or it has
/// ended and nobody has waited for it yet; 1 where /proc does not tell.
[[nodiscard]] std::uint64_t start_of_process(std::int32_t pid) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/process_start.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// How many workers a pool gets: usable_cpus(); and how many of them may spin: spare_cpus().

#include <procpool/core/config.hpp>
#include <procpool/os/usable_cpus.hpp>

#include <cstddef>

namespace procpool::inline v0::detail::pool {

/// CPUs that are left when the submitting thread has one: spinning there takes nothing from anybody.
[[nodiscard]] std::size_t spare_cpus();

}  // namespace procpool::detail::pool

#if PROCPOOL_BODIES
#include <procpool/pool/cpus.ipp>
#endif

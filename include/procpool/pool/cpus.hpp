// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// How many workers a pool gets, and how many of them may spin.

#include <procpool/os/affinity.hpp>
#include <procpool/os/usable_cpus.hpp>

#include <cstddef>

namespace procpool::inline v0::detail::pool {

/// CPUs that are left when the submitting thread has one: spinning there takes nothing from anybody.
[[nodiscard]] inline std::size_t spare_cpus() { return os::affinity_cpus() - 1; }

}  // namespace procpool::detail::pool

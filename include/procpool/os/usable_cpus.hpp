// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// usable_cpus(): how many workers have a CPU each.

#include <procpool/core/config.hpp>

#include <cstddef>

namespace procpool::inline v0 {

/// The number of CPUs this process may use: its affinity mask, cut by every cgroup quota above it (rounded up); never
/// 0, and no more than a pool may have workers. The environment variable PROCPOOL_WORKERS overrides it. Throws:
/// std::invalid_argument when PROCPOOL_WORKERS is not a number of workers that a pool may have.
[[nodiscard]] std::size_t usable_cpus();

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/os/usable_cpus.ipp>
#endif

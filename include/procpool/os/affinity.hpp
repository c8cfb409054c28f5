// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// affinity_cpus(): the CPUs that the scheduler may give to this process.

#include <procpool/core/config.hpp>

#include <cstddef>

namespace procpool::inline v0::detail::os {

/// The CPUs of this machine that are on, at least 1.
[[nodiscard]] std::size_t online_cpus();
/// The CPUs in this process's affinity mask, at least 1.
[[nodiscard]] std::size_t affinity_cpus();

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/affinity.ipp>
#endif

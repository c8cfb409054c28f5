// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// processors_of(): the processors that PoolOptions::pin binds workers to.

#include <procpool/core/config.hpp>
#include <procpool/os/affinity.hpp>
#include <procpool/pool/options.hpp>

#include <vector>

namespace procpool::inline v0::detail::pool {

/// Returns: one set for each worker in turns, of what the calling thread may use; none when workers are not bound, or
/// it cannot be asked, which is logged. Throws: std::bad_alloc.
[[nodiscard]] std::vector<os::CpuSet> processors_of(const PoolOptions& options);

}  // namespace procpool::detail::pool

#if PROCPOOL_BODIES
#include <procpool/pool/processors.ipp>
#endif

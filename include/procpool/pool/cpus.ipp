// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/cpus.hpp>

#include <procpool/os/affinity.hpp>

namespace procpool::inline v0::detail::pool {

PROCPOOL_DECL std::size_t spare_cpus() { return os::affinity_cpus() - 1; }

}  // namespace procpool::detail::pool

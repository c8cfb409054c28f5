// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/stats.hpp>

namespace procpool::inline v0 {

PROCPOOL_DECL std::string to_string(const PoolStats& stats) {
    return fmt::format(
        "{} submitted, {} completed, {} failed, {} cancelled, {} timed out, {} retried, {} unobserved; workers: {} "
        "started, {} died, {} recycled",
        stats.submitted, stats.completed, stats.failed, stats.cancelled, stats.timed_out, stats.retried,
        stats.unobserved, stats.workers_started, stats.workers_died, stats.workers_recycled);
}

}  // namespace procpool

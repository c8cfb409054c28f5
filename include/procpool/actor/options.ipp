// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/actor/options.hpp>

#include <stdexcept>

namespace procpool::inline v0 {

PROCPOOL_DECL void check(const ActorOptions& options) {
    if (options.restarts > ActorOptions::max_restarts) {
        throw std::invalid_argument("procpool: ActorOptions::restarts is at most " +
                                    std::to_string(ActorOptions::max_restarts));
    }
    if (options.period.count() <= 0) { throw std::invalid_argument("procpool: ActorOptions::period must be positive"); }
    if (options.snapshot_interval.count() < 0) {
        throw std::invalid_argument("procpool: ActorOptions::snapshot_interval must not be negative");
    }
    if (options.saves() && options.snapshot_bytes == 0) {
        throw std::invalid_argument("procpool: ActorOptions::snapshot_bytes must not be 0");
    }
}

}  // namespace procpool

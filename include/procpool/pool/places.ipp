// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/log/report.hpp>
#include <procpool/pool/places.hpp>

#include <cstddef>
#include <optional>

namespace procpool::inline v0::detail::pool {

PROCPOOL_DECL std::vector<os::CpuSet> places_of(const PoolOptions& options) {
    std::vector<os::CpuSet> places;
    if (options.pin == Pin::none) { return places; }
    const std::optional<os::CpuSet> allowed = os::CpuSet::of_this_thread();
    if (!allowed) {
        log::report(LogLevel::warning, {.pool = options.name},
                    "workers are not bound to processors: the system does not say which the program may use");
        return places;
    }
    if (options.pin == Pin::nodes) { return os::memory_nodes(*allowed); }
    for (const std::size_t cpu : allowed->numbers()) { places.emplace_back().add(cpu); }
    return places;
}

}  // namespace procpool::detail::pool

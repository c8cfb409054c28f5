// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/log/report.hpp>
#include <procpool/pool/processors.hpp>

#include <cstddef>
#include <optional>

namespace procpool::inline v0::detail::pool {

PROCPOOL_DECL std::vector<os::CpuSet> processors_of(const PoolOptions& options) {
    std::vector<os::CpuSet> processors;
    if (options.pin == Pin::none) { return processors; }
    const std::optional<os::CpuSet> allowed = os::CpuSet::of_this_thread();
    if (!allowed) {
        log::report(LogLevel::warning, {.pool = options.name},
                    "workers are not bound to processors: the system does not say which the program may use");
        return processors;
    }
    if (options.pin == Pin::nodes) { return os::memory_nodes(*allowed); }
    for (const std::size_t cpu : allowed->numbers()) { processors.emplace_back().add(cpu); }
    return processors;
}

}  // namespace procpool::detail::pool

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/log/flows.hpp>

#include <algorithm>
#include <utility>

namespace procpool::inline v0::detail::log {

PROCPOOL_DECL void Flows::add_edge(const TraceRecord& edge) {
    Dependency& dependency = dependencies_[{edge.pool, edge.dependency}];
    if (std::exchange(dependency.newest_dependant, edge.task) == edge.task) { return; }
    dependants_[{edge.pool, edge.task}].dependencies.push_back(edge.dependency);
}

PROCPOOL_DECL void Flows::add_run(const TraceRecord& run) {
    const auto found = dependencies_.find({run.pool, run.task});
    if (found == dependencies_.end()) { return; }
    std::optional<TraceRecord>& last = found->second.last_run;
    if (!last || last->end <= run.end) { last = run; }
}

PROCPOOL_DECL std::span<const std::uint64_t> Flows::dependencies_of(const TraceRecord& run) const {
    const auto found = dependants_.find({run.pool, run.task});
    if (found == dependants_.end()) { return {}; }
    return found->second.dependencies;
}

PROCPOOL_DECL std::int64_t Flows::ready_at(const TraceRecord& run) const {
    std::int64_t ready = run.queued;
    for (const std::uint64_t one : dependencies_of(run)) {
        if (const std::optional<TraceRecord> last = last_run(run.pool, one)) { ready = std::max(ready, last->end); }
    }
    return ready;
}

PROCPOOL_DECL std::optional<TraceRecord> Flows::last_run(std::uint32_t pool, std::uint64_t task) const {
    const auto found = dependencies_.find({pool, task});
    return found == dependencies_.end() ? std::nullopt : found->second.last_run;
}

PROCPOOL_DECL bool Flows::is_first(const TraceRecord& run) {
    const auto found = dependants_.find({run.pool, run.task});
    return found != dependants_.end() && !std::exchange(found->second.was_seen, true);
}

}  // namespace procpool::detail::log

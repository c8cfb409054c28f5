// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/log/flows.hpp>
#include <procpool/log/shared_records.hpp>
#include <procpool/log/timings.hpp>

#include <algorithm>
#include <cstdint>
#include <span>

namespace procpool::inline v0::detail::log {

PROCPOOL_DECL std::vector<TaskTiming> timings_of(std::uint32_t pool) {
    std::vector<TaskTiming> all;
    const SharedRecords* const records = SharedRecords::current();
    if (pool == 0 || records == nullptr) { return all; }
    const auto time = [](std::int64_t nanoseconds) { return Clock::time_point{std::chrono::nanoseconds{nanoseconds}}; };
    Flows flows;
    records->trace.for_each([&](const TraceRecord& record) {
        if (record.pool == pool && record.kind == TraceKind::edge) { flows.add_edge(record); }
    });
    records->trace.for_each([&](const TraceRecord& record) {
        if (record.pool != pool || record.kind != TraceKind::task) { return; }
        flows.add_run(record);
        const std::span<const std::uint64_t> dependencies = flows.dependencies_of(record);
        all.push_back({.label = std::string(record.text.view()),
                       .queued = time(std::min(flows.ready_at(record), record.begin)),
                       .started = time(record.begin),
                       .finished = time(record.end),
                       .cpu_time = record.cpu < 0 ? std::nullopt : std::optional{std::chrono::nanoseconds{record.cpu}},
                       .worker = record.worker,
                       .pid = record.pid,
                       .node = record.node,
                       .host = {},
                       .attempt = record.attempt,
                       .items = record.items,
                       .ended = record.ended,
                       .task = record.task,
                       .dependencies = {dependencies.begin(), dependencies.end()}});
    });
    return all;
}

}  // namespace procpool::detail::log

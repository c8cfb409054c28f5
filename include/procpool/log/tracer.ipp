// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/log/shared_records.hpp>
#include <procpool/log/tracer.hpp>

namespace procpool::inline v0::detail::log {

PROCPOOL_DECL void trace_event(const task::Board& board, TraceKind kind, std::uint32_t worker, std::int32_t pid,
                               std::string_view text) noexcept {
    SharedRecords* const records = SharedRecords::current();
    if (board.control.trace_id == 0 || records == nullptr) { return; }
    TraceRecord record{};
    record.begin = trace_time();
    record.cpu = -1;
    record.pid = pid;
    record.pool = board.control.trace_id;
    record.worker = worker;
    record.kind = kind;
    record.text.assign(text);
    records->trace.add(record);
}

PROCPOOL_DECL void trace_host(const task::Board& board, std::uint16_t node, std::string_view host) noexcept {
    SharedRecords* const records = SharedRecords::current();
    if (board.control.trace_id == 0 || records == nullptr) { return; }
    TraceRecord record{};
    record.pool = board.control.trace_id;
    record.kind = TraceKind::host;
    record.node = node;
    record.text.assign(host);
    records->trace.add(record);
}

PROCPOOL_DECL void trace_edge(const task::Board& board, std::uint64_t dependant, std::uint64_t dependency) noexcept {
    SharedRecords* const records = SharedRecords::current();
    if (board.control.trace_id == 0 || records == nullptr) { return; }
    TraceRecord record{};
    record.pool = board.control.trace_id;
    record.kind = TraceKind::edge;
    record.task = dependant;
    record.dependency = dependency;
    records->trace.add(record);
}

PROCPOOL_DECL void trace_run(task::Board& board, std::uint32_t slot, const RunEnd& end) noexcept {
    task::TaskLabel& label = board.label(slot);
    SharedRecords* const records = SharedRecords::current();
    // Setting it back decides who adds the run: a worker may be killed right afterwards, and its supervisor must not
    // add it again.
    const std::int64_t begin = label.started.exchange(0, std::memory_order_relaxed);
    if (begin == 0 || records == nullptr) { return; }
    const task::Slot& task = board.all_slots()[slot];
    TraceRecord record{};
    record.begin = begin;
    record.end = trace_time();
    record.queued = label.queued;
    record.cpu = end.cpu;
    record.task = end.task;
    record.pid = end.pid;
    record.pool = board.control.trace_id;
    record.worker = end.worker;
    record.items = static_cast<std::uint32_t>(end.items);
    record.attempt = task.has_limits() ? task.attempt : std::uint16_t{0};
    record.kind = TraceKind::task;
    record.ended = end.ending;
    record.node = end.node;
    record.text.assign(board.label_of(slot));
    records->trace.add(record);
}

}  // namespace procpool::detail::log

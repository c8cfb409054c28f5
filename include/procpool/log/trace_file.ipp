// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/ending.hpp>
#include <procpool/core/printable.hpp>
#include <procpool/log/flows.hpp>
#include <procpool/log/log_record.hpp>
#include <procpool/log/shared_records.hpp>
#include <procpool/log/trace.hpp>
#include <procpool/log/trace_file.hpp>
#include <procpool/os/file.hpp>
#include <procpool/os/process.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace procpool::inline v0 {

namespace detail::log {

PROCPOOL_DECL std::uint32_t begin_trace(std::string_view name) {
    Trace& trace = SharedRecords::ensure().trace;
    TraceRecord record{};
    record.kind = TraceKind::pool;
    record.pool = trace.next_pool();
    record.pid = os::this_process();
    record.text.assign(name);
    trace.add(record);
    return record.pool;
}

/// Returns: the text as a string of JSON, quotes included, with control characters escaped. Bytes that are no UTF-8
/// become replacement characters.
[[nodiscard]] PROCPOOL_DECL std::string json_string(std::string_view text) {
    std::string quoted = "\"";
    while (!text.empty()) {
        const std::size_t length = core::utf8_length(text);
        const std::string_view first = text.substr(0, std::max<std::size_t>(length, 1));
        if (length == 0) {
            quoted += "\\ufffd";
        } else if (core::is_control(first)) {
            quoted += "\\u";
            core::append_hexadecimal(quoted, core::code_of(first), 4);
        } else {
            if (first == "\"" || first == "\\") { quoted += '\\'; }
            quoted += first;
        }
        text.remove_prefix(first.size());
    }
    return quoted + '"';
}

/// One file in Chrome's trace format: each pool is a process, on other machines another one for each of them; each
/// worker is a thread of it.
class TraceFile {
public:
    /// Throws: std::system_error.
    explicit TraceFile(const char* path) : file_(os::create_file(path)) {
        check(file_ != nullptr);
        put("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
    }

    /// Requires: add() has not been called.
    void add_edge(const TraceRecord& edge) { flows_.add_edge(edge); }

    /// start: of the time axis, which viewers show from 0. Requires: the record is of nothing that began before.
    void add(const TraceRecord& record, std::int64_t start) {
        if (record.kind == TraceKind::edge) { return; }
        const std::uint64_t group = group_of(record);
        if (record.kind == TraceKind::pool) {
            groups_[group] = record.text.view();
            return;
        }
        if (record.kind == TraceKind::host) {
            // The machine of the program comes last: its group has the pool's name alone until then.
            std::string name = groups_[record.pool];
            groups_[group] = name.append(name.empty() ? "@ " : " @ ").append(record.text.view());
            return;
        }
        if (tracks_.emplace(group, record.worker).second) {
            const std::string name =
                record.worker == LogRecord::no_worker ? "lost" : "worker " + std::to_string(record.worker);
            event(fmt::format(R"("ph":"M","name":"thread_name","pid":{},"tid":{},"args":{{"name":"{}"}})", group,
                              record.worker, name));
        }
        const std::string where =
            fmt::format(R"("pid":{},"tid":{},"ts":{})", group, record.worker, microseconds(record.begin - start));
        if (record.kind == TraceKind::task) {
            const std::string_view label = record.text.view();
            flows_.add_run(record);
            event(fmt::format(
                R"("ph":"X","cat":"task","name":{},{},"dur":{},"args":{{"task":{},"attempt":{},"process":{},"ended":"{}","queued_us":{}{}{}}})",
                json_string(label.empty() ? std::string_view{record.items == 0 ? "task" : "chunk"} : label), where,
                microseconds(record.end - record.begin), record.task, record.attempt, record.pid,
                to_string(record.ended),
                microseconds(std::max<std::int64_t>(0, record.begin - flows_.ready_at(record))),
                record.cpu < 0 ? std::string{} : ",\"cpu_us\":" + microseconds(record.cpu),
                record.items == 0 ? std::string{} : fmt::format(",\"items\":{}", record.items)));
            if (flows_.is_first(record)) { add_flows(record, start); }
        } else {
            event(fmt::format(R"("ph":"i","s":"t","cat":"worker","name":"{}",{},"args":{{"process":{},"text":{}}})",
                              name_of(record.kind), where, record.pid, json_string(record.text.view())));
        }
    }

    /// Throws: std::system_error when the file is not whole.
    void close(std::uint64_t dropped) {
        for (const auto& [group, name] : groups_) {
            event(fmt::format(R"("ph":"M","name":"process_name","pid":{},"tid":0,"args":{{"name":{}}})", group,
                              json_string(name)));
        }
        put(fmt::format("\n],\"otherData\":{{\"dropped\":\"{}\"}}}}\n", dropped));
        const bool whole = std::ferror(file_.get()) == 0;
        check(std::fclose(file_.release()) == 0 && whole);
    }

private:
    /// Adds an arrow from each task that this one depends on.
    void add_flows(const TraceRecord& run, std::int64_t start) {
        for (const std::uint64_t one : flows_.dependencies_of(run)) {
            const std::optional<TraceRecord> from = flows_.last_run(run.pool, one);
            if (!from) { continue; }
            // Viewers look for the slice around that time, to which its end does not belong. The clock of another
            // machine may say that this one began before that.
            const std::int64_t left = std::max(from->begin, std::min(from->end - 1, run.begin));
            ++last_flow_;
            add_flow("s", *from, left - start);
            add_flow("f", run, std::max(run.begin, left) - start);
        }
    }
    void add_flow(std::string_view phase, const TraceRecord& at, std::int64_t time) {
        event(fmt::format(
            R"("ph":"{}","bp":"e","cat":"dependency","name":"dependency","id":{},"pid":{},"tid":{},"ts":{})", phase,
            last_flow_, group_of(at), at.worker, microseconds(time)));
    }

    struct Close {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };

    static void check(bool holds) {
        if (!holds) { throw std::system_error(errno, std::generic_category(), "procpool: cannot write the trace"); }
    }
    void put(std::string_view text) noexcept { std::fwrite(text.data(), 1, text.size(), file_.get()); }
    void event(const std::string& members) {
        put(std::exchange(first_, false) ? "\n{" : ",\n{");
        put(members);
        put("}");
    }

    /// Pools are fewer than 2^20, as good as always: viewers take 32 bits.
    [[nodiscard]] static std::uint64_t group_of(const TraceRecord& record) noexcept {
        return record.pool + (std::uint64_t{record.node} << 20);
    }

    [[nodiscard]] static std::string microseconds(std::int64_t nanoseconds) {
        return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
    }
    [[nodiscard]] static std::string_view name_of(TraceKind kind) noexcept {
        switch (kind) {
            case TraceKind::started: return "started";
            case TraceKind::died: return "ended";
            case TraceKind::timed_out: return "timeout";
            case TraceKind::recycled: return "recycled";
            case TraceKind::edge:
            case TraceKind::pool:
            case TraceKind::host:
            case TraceKind::task: break;
        }
        return "";
    }

    std::unique_ptr<std::FILE, Close> file_;
    bool first_ = true;
    std::map<std::uint64_t, std::string> groups_;               // their names
    std::set<std::pair<std::uint64_t, std::uint32_t>> tracks_;  // named: group and worker
    Flows flows_;
    std::uint64_t last_flow_ = 0;
};

PROCPOOL_DECL void write_trace(const FileName& path, std::uint32_t pool) {
    TraceFile file{path.text()};
    std::uint64_t dropped = 0;
    if (const SharedRecords* const records = SharedRecords::current()) {
        const auto is_meant = [&](const TraceRecord& record) { return pool == 0 || record.pool == pool; };
        records->trace.for_each([&](const TraceRecord& record) {
            if (record.kind == TraceKind::edge && is_meant(record)) { file.add_edge(record); }
        });
        dropped = add_all(file, [&](auto use) {
            return records->trace.for_each([&](const TraceRecord& record) {
                if (is_meant(record)) { use(record); }
            });
        });
    }
    file.close(dropped);
}

}  // namespace detail::log

PROCPOOL_DECL void write_trace(const detail::log::FileName& path) { detail::log::write_trace(path, 0); }

PROCPOOL_DECL void clear_trace() noexcept {
    if (detail::log::SharedRecords* const records = detail::log::SharedRecords::current()) { records->trace.clear(); }
}

}  // namespace procpool

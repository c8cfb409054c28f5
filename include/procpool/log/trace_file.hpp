// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// write_trace(): when which task ran on which worker, as a file that trace viewers open.

#include <procpool/core/ending.hpp>
#include <procpool/core/printable.hpp>
#include <procpool/log/chronicle.hpp>
#include <procpool/os/file.hpp>
#include <procpool/os/process.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace procpool::inline v0 {

namespace detail::log {

/// Returns: the number of a new pool in traces. Throws: SharedMemoryExhausted.
[[nodiscard]] inline std::uint32_t begin_trace(std::string_view name) {
    log::Trace& trace = log::Chronicle::ensure().trace;
    log::TraceRecord record{};
    record.kind = log::TraceKind::pool;
    record.pool = trace.next_pool();
    record.pid = os::this_process();
    record.text.assign(name);
    trace.add(record);
    return record.pool;
}

/// Returns: the text as a string of JSON, quotes included, with control characters escaped. Bytes that are no UTF-8
/// become replacement characters.
[[nodiscard]] inline std::string json_string(std::string_view text) {
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

/// One file in Chrome's trace format: each pool is a process, each worker a thread of it. A template so that only
/// programs that write one spend time on its compilation.
template <std::convertible_to<std::filesystem::path> Path>
class TraceFile {
public:
    /// Throws: std::system_error.
    explicit TraceFile(const Path& path) : file_(os::create_file(std::filesystem::path(path).c_str())) {
        check(file_ != nullptr);
        put("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
    }

    /// start: of the time axis, which viewers show from 0. Requires: the record is of nothing that began before.
    void add(const log::TraceRecord& record, std::int64_t start) {
        if (record.kind == log::TraceKind::pool) {
            event(fmt::format(R"("ph":"M","name":"process_name","pid":{},"tid":0,"args":{{"name":{}}})", record.pool,
                              json_string(record.text.view())));
            return;
        }
        if (tracks_.emplace(record.pool, record.worker).second) {
            event(fmt::format(R"("ph":"M","name":"thread_name","pid":{},"tid":{},"args":{{"name":"worker {}"}})",
                              record.pool, record.worker, record.worker));
        }
        const std::string where =
            fmt::format(R"("pid":{},"tid":{},"ts":{})", record.pool, record.worker, microseconds(record.begin - start));
        if (record.kind == log::TraceKind::task) {
            const std::string_view label = record.text.view();
            event(fmt::format(
                R"("ph":"X","cat":"task","name":{},{},"dur":{},"args":{{"task":{},"attempt":{},"process":{},"ended":"{}","queued_us":{}{}{}}})",
                json_string(label.empty() ? std::string_view{record.items == 0 ? "task" : "chunk"} : label), where,
                microseconds(record.end - record.begin), record.task, record.attempt, record.pid,
                to_string(record.ended), microseconds(std::max<std::int64_t>(0, record.begin - record.queued)),
                record.cpu < 0 ? std::string{} : ",\"cpu_us\":" + microseconds(record.cpu),
                record.items == 0 ? std::string{} : fmt::format(",\"items\":{}", record.items)));
        } else {
            event(fmt::format(R"("ph":"i","s":"t","cat":"worker","name":"{}",{},"args":{{"process":{},"text":{}}})",
                              name_of(record.kind), where, record.pid, json_string(record.text.view())));
        }
    }

    /// Throws: std::system_error when the file is not whole.
    void close(std::uint64_t dropped) {
        put(fmt::format("\n],\"otherData\":{{\"dropped\":\"{}\"}}}}\n", dropped));
        const bool whole = std::ferror(file_.get()) == 0;
        check(std::fclose(file_.release()) == 0 && whole);
    }

private:
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

    [[nodiscard]] static std::string microseconds(std::int64_t nanoseconds) {
        return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
    }
    [[nodiscard]] static std::string_view name_of(log::TraceKind kind) noexcept {
        switch (kind) {
            case log::TraceKind::started: return "started";
            case log::TraceKind::died: return "ended";
            case log::TraceKind::timed_out: return "timeout";
            case log::TraceKind::recycled: return "recycled";
            case log::TraceKind::pool:
            case log::TraceKind::task: break;
        }
        return "";
    }

    std::unique_ptr<std::FILE, Close> file_;
    bool first_ = true;
    std::set<std::pair<std::uint32_t, std::uint32_t>> tracks_;  // named: pool and worker
};

/// When what the record tells of began. Requires: it is not of kind pool.
[[nodiscard]] inline std::int64_t beginning_of(const log::TraceRecord& record) noexcept {
    return record.kind == log::TraceKind::task ? std::min(record.begin, record.queued) : record.begin;
}

/// Effects: adds the records that each(use) gives to use(), which is called twice: first to learn where the time axis
/// starts. A task that ended between the two looks may have begun before that: it is left out, like those that still
/// run. Returns: what each() returned.
template <class File, class Each>
std::uint64_t add_all(File& file, Each each) {
    std::int64_t start = INT64_MAX;
    each([&](const log::TraceRecord& record) {
        if (record.kind != log::TraceKind::pool) { start = std::min(start, beginning_of(record)); }
    });
    return each([&](const log::TraceRecord& record) {
        if (record.kind == log::TraceKind::pool || beginning_of(record) >= start) { file.add(record, start); }
    });
}

/// As procpool::write_trace(), of one pool, or of all if `pool` is 0.
template <std::convertible_to<std::filesystem::path> Path>
void write_trace(const Path& path, std::uint32_t pool) {
    TraceFile<Path> file{path};
    std::uint64_t dropped = 0;
    if (const log::Chronicle* const chronicle = log::Chronicle::current()) {
        dropped = add_all(file, [&](auto use) {
            return chronicle->trace.for_each([&](const log::TraceRecord& record) {
                if (pool == 0 || record.pool == pool) { use(record); }
            });
        });
    }
    file.close(dropped);
}

}  // namespace detail::log

/// Effects: writes when which task ran on which worker into a file that Perfetto (ui.perfetto.dev) and chrome://tracing
/// open: of all pools so far whose PoolOptions::trace is set, those that are gone included. A track for each worker; a
/// task's time in the queue, its time on a processor, its attempt, items and end are its arguments; starts and ends of
/// workers and timeouts are instants. A million records are kept, less where the address space is limited; how many
/// there was no room for is written too. A task that runs is missing. Throws: std::system_error. Called by: any thread,
/// at any time.
template <std::convertible_to<std::filesystem::path> Path>
void write_trace(const Path& path) {
    detail::log::write_trace(path, 0);
}

/// Effects: write_trace() begins anew. What runs meanwhile may be missing later.
inline void clear_trace() noexcept {
    if (detail::log::Chronicle* const chronicle = detail::log::Chronicle::current()) { chronicle->trace.clear(); }
}

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// write_trace(): when which task ran on which worker, as a file that trace viewers open.

#include <procpool/core/config.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace procpool::inline v0 {

namespace detail::log {

/// The name of a file, for parameters: text, or a std::filesystem::path, whose header not every source needs.
class FileName {
public:
    FileName(const char* text) : text_(text) {}
    FileName(std::string_view text) : text_(text) {}
    template <class Path>
    requires requires(const Path& path) {
        { path.c_str() } -> std::same_as<const char*>;
    }
    FileName(const Path& path) : text_(path.c_str()) {}

    [[nodiscard]] const char* text() const noexcept { return text_.c_str(); }

private:
    std::string text_;
};

/// Returns: the number of a new pool in traces. Throws: SharedMemoryExhausted.
[[nodiscard]] std::uint32_t begin_trace(std::string_view name);

/// As procpool::write_trace(), of one pool, or of all if `pool` is 0.
void write_trace(const FileName& path, std::uint32_t pool);

}  // namespace detail::log

/// Writes a file for Perfetto (ui.perfetto.dev) and chrome://tracing that shows when each task ran on which worker. It
/// covers all pools so far whose PoolOptions::trace is set, those that are gone included. Each worker has a track; a
/// task's time in the queue, its time on a processor, its attempt, items and end are its arguments; starts and ends of
/// workers and timeouts are instants. A task that is running is missing. An arrow goes from the end of a task to the
/// start of each task of its pool that has its future as an argument, whose time in the queue counts from when the last
/// of those had ended; not where the call had to wait in this process, as for futures of other pools. Of an MpiPool,
/// the workers of each machine are a group with its name, and times of other machines are by the clock of this one,
/// wrong by at most half of a round trip. A task that was lost with its machine is on a track of its own there, from
/// when it was sent until that was known; pools within tasks on other machines are missing. A million records are kept,
/// fewer where the address space is limited: a run, an event and an argument that is a future take one each; the file
/// tells how many there was no room for. path: text or a std::filesystem::path. Throws: std::system_error. Called by:
/// any thread, at any time.
void write_trace(const detail::log::FileName& path);

/// Forgets the records so far, so that write_trace() begins anew. A task that is running may be missing later.
void clear_trace() noexcept;

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/log/trace_file.ipp>
#endif

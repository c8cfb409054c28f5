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

/// Writes when which task ran on which worker into a file that Perfetto (ui.perfetto.dev) and chrome://tracing open: of
/// all pools so far whose PoolOptions::trace is set, those that are gone included. A track for each worker; a task's
/// time in the queue, its time on a processor, its attempt, items and end are its arguments; starts and ends of workers
/// and timeouts are instants. A million records are kept, less where the address space is limited; how many there was
/// no room for is written too. A task that runs is missing. path: text or a std::filesystem::path. Throws:
/// std::system_error. Called by: any thread, at any time.
void write_trace(const detail::log::FileName& path);

/// Lets write_trace() begin anew. What runs meanwhile may be missing later.
void clear_trace() noexcept;

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/log/trace_file.ipp>
#endif

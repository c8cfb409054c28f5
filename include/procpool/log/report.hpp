// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// report(): log records of the library's own, about a worker, a task or a pool.

#include <procpool/core/config.hpp>
#include <procpool/log/log.hpp>
#include <procpool/log/log_record.hpp>

#include <fmt/core.h>
#include <cstdint>
#include <string_view>

namespace procpool::inline v0::detail::log {

/// The worker, task and pool that a record is about.
struct LogSubject {
    std::uint32_t worker = LogRecord::no_worker;
    std::int32_t pid = 0;  ///< 0: the caller's
    std::uint64_t task = 0;
    std::string_view label = {};
    std::string_view pool = {};
    std::string_view host = {};  ///< of an MpiPool, the other machine that it is about
};

/// Returns: the task and the worker that the caller is, if it is one.
[[nodiscard]] LogSubject subject_here() noexcept;

/// Writes a record. Requires: is_logged().
void write_report(LogLevel level, const LogSubject& subject, fmt::string_view format,
                  fmt::format_args arguments) noexcept;

template <class... Args>
void report(LogLevel level, const LogSubject& subject, fmt::format_string<Args...> format,
            const Args&... args) noexcept {
    if (is_logged(level)) { write_report(level, subject, format, fmt::make_format_args(args...)); }
}

}  // namespace procpool::detail::log

#if PROCPOOL_BODIES
#include <procpool/log/report.ipp>
#endif

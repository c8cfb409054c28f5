// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// log(): lines from any process of a program to its sink.

#include <procpool/core/config.hpp>
#include <procpool/log/log_record.hpp>

#include <fmt/core.h>

namespace procpool::inline v0 {

namespace detail::log {

[[nodiscard]] bool is_logged(LogLevel level) noexcept;

/// Writes a record about the caller: the task and the worker it is, if it is one. Requires: is_logged().
void write_log(LogLevel level, fmt::string_view format, fmt::format_args arguments) noexcept;

}  // namespace detail::log

/// Gives the formatted text to the program's sink as one record, soon, and even if the caller's process dies right
/// afterwards; see set_log_sink(). Nothing is formatted when no sink wants records of this level. A full journal loses
/// its oldest records; the sink is told how many. Called by: tasks, initializers, finalizers, the parent, and what they
/// fork; any thread.
template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> format, const Args&... args) noexcept {
    if (detail::log::is_logged(level)) { detail::log::write_log(level, format, fmt::make_format_args(args...)); }
}

/// The least level that reaches a sink; `off` without one. The same in the parent and in its workers.
[[nodiscard]] LogLevel log_level() noexcept;

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/log/log.ipp>
#endif

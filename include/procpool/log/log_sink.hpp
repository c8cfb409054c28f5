// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// set_log_sink(), log_to_stderr(): where the records of a program go.

#include <procpool/core/config.hpp>
#include <procpool/log/log_record.hpp>

#include <functional>

namespace procpool::inline v0 {

using LogFunction = std::function<void(const LogRecord&)>;

/// Gives every record of at least this level to the sink: what tasks and the program give to log(), and what
/// happens to workers: debug when one starts, info when one is recycled, warning when a task is lost with its worker,
/// is run again or exceeds its timeout, and when a worker cannot be replaced for now, error when a pool breaks, a
/// callback throws or a Process ends by an exception or a signal. It is called by one thread at a time: by one of the
/// library's, or by one that joins a pool or sets another sink, and has got a pool's or Process's records when join()
/// or the destructor returns. What it throws is ignored; it must not set a sink, nor wait for a thread that may join a
/// pool. An empty sink ends it. A forked child, a worker included, has its parent's sink until it sets its own. Throws:
/// SharedMemoryExhausted; std::system_error when no thread can be had; std::logic_error in a sink.
void set_log_sink(LogFunction sink, LogLevel level = LogLevel::info);

/// Blocks until the sink has got all that was logged before, by this process and by workers. Does nothing within a
/// sink.
void flush_log() noexcept;

/// Sets a sink that writes each record to standard error: a line, in one piece, with control characters as \n, \x1b or
/// \u009b. off: no sink. Throws: as set_log_sink().
void log_to_stderr(LogLevel level = LogLevel::info);

namespace detail::log {

/// Lets processes forked from now on log; a sink may be set later. Throws: SharedMemoryExhausted.
void prepare_log();

/// As flush_log(), but waits for a sink that does not return only some seconds: what logged has ended, and the sink may
/// wait for what the caller has locked.
void settle_log() noexcept;

}  // namespace detail::log

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/log/log_sink.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// set_log_sink(), log_to_stderr(): where the records of a program go.

#include <procpool/core/config.hpp>
#include <procpool/log/log_record.hpp>

#include <atomic>
#include <functional>

namespace procpool::inline v0 {

/// A sink: gets the records of a program.
using LogFunction = std::function<void(const LogRecord&)>;

/// Gives every record of at least this level to the sink; an empty sink ends that. Records are texts that tasks and the
/// program give to log(), and events of the library:
/// - debug: a worker starts; a task of a pool with PoolOptions::backtraces throws, and where; a machine of an MpiPool
///   gets what tasks refer to.
/// - info: a worker is recycled.
/// - warning: a task is lost with its worker, is run again or exceeds its timeout; nobody took the error of a task; a
///   worker cannot be replaced for now.
/// - error: a pool breaks, a callback throws, a Process ends by an exception or a signal.
///
/// The sink is called by one thread at a time: one of the library's, or one that joins a pool or sets another sink. It
/// has got a pool's or Process's records when join() or the destructor returns. Its exceptions are ignored. It must not
/// set a sink, nor wait for a thread that may join a pool. A forked child, a worker included, has its parent's sink
/// until it sets its own. Throws: SharedMemoryExhausted; std::system_error when no thread can be had; std::logic_error
/// in a sink.
void set_log_sink(LogFunction sink, LogLevel level = LogLevel::info);

/// Blocks until the sink has got every record that was logged before, by this process and by workers. Does nothing
/// within a sink.
void flush_log() noexcept;

/// Sets a sink that writes each record to standard error, as one line and in one piece, with control characters as \n,
/// \x1b or \u009b. LogLevel::off ends that. Throws: as set_log_sink().
void log_to_stderr(LogLevel level = LogLevel::info);

namespace detail::log {

/// Lets processes forked from now on log; a sink may be set later. Throws: SharedMemoryExhausted.
void prepare_log();

/// Called by the sink's thread each time before it looks for records, several times a second; null: nothing is.
inline constinit std::atomic<void (*)() noexcept> before_looks{nullptr};

/// As flush_log(), but waits for a sink that does not return only some seconds: what logged has ended, and the sink may
/// wait for what the caller has locked.
void settle_log() noexcept;

}  // namespace detail::log

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/log/log_sink.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Error and its kinds: the exceptions of procpool's own. A task's exception arrives as it was thrown.

#include <procpool/core/config.hpp>
#include <procpool/core/exit_status.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>

namespace procpool::inline v0 {

/// Base of all errors below but SharedMemoryExhausted.
struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A submission after close(), terminate() or kill().
struct PoolClosed : Error {
    PoolClosed();
    explicit PoolClosed(const std::string& what);
};

/// The task was unfinished when the pool was terminated or killed.
struct PoolTerminated : Error {
    PoolTerminated();
    explicit PoolTerminated(const std::string& what);
};

/// Workers keep dying before they can take a task, or the supervisor is gone; what() says why.
struct PoolBroken : Error {
    using Error::Error;
};

/// cancel() or kill() ended the task.
struct TaskCancelled : Error {
    TaskCancelled();
    explicit TaskCancelled(const std::string& what);
};

/// A value cannot travel, or its bytes do not decode.
struct CodecError : Error {
    using Error::Error;
};

/// The task ran longer than its timeout.
class TaskTimedOut : public Error {
public:
    explicit TaskTimedOut(std::chrono::nanoseconds limit, const std::string& label = {});
    [[nodiscard]] std::chrono::nanoseconds limit() const noexcept { return limit_; }

private:
    std::chrono::nanoseconds limit_;
};

/// as_completed() was given a time limit, and some futures were not ready by then.
class WaitTimedOut : public Error {
public:
    WaitTimedOut(std::size_t unfinished, std::size_t total);
    [[nodiscard]] std::size_t unfinished() const noexcept { return unfinished_; }

private:
    std::size_t unfinished_;
};

/// An exception of a type that does not travel as itself, or a thrown object that is no std::exception.
class RemoteError : public Error {
public:
    RemoteError(std::string type_name, const std::string& what);
    /// The demangled name of the type that was thrown.
    [[nodiscard]] const std::string& type_name() const noexcept { return type_name_; }

private:
    std::string type_name_;
};

/// The process that ran the task ended before the task did.
class WorkerDied : public Error {
public:
    WorkerDied(ExitStatus status, std::int32_t pid, std::string label = {}, std::string backtrace = {});

    [[nodiscard]] ExitStatus exit_status() const noexcept { return status_; }
    [[nodiscard]] std::int32_t pid() const noexcept { return pid_; }
    /// The TaskOptions' label of the task.
    [[nodiscard]] const std::string& label() const noexcept { return label_; }
    /// Where it crashed, as text; empty when nothing was recorded.
    [[nodiscard]] const std::string& backtrace() const noexcept { return backtrace_; }

private:
    ExitStatus status_;
    std::int32_t pid_;
    std::string label_;
    std::string backtrace_;
};

/// Shared memory that was asked for cannot be had.
class SharedMemoryExhausted : public std::bad_alloc {
public:
    SharedMemoryExhausted() = default;
    explicit SharedMemoryExhausted(std::uint64_t bytes) noexcept : bytes_(bytes) {}
    [[nodiscard]] PROCPOOL_DECL const char* what() const noexcept override;
    /// How much was asked for; 0 when unknown.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

private:
    std::uint64_t bytes_ = 0;
};

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/core/error.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Error and its kinds: procpool's own exceptions. A task's exception arrives as it was thrown.

#include <procpool/core/config.hpp>
#include <procpool/core/exit_status.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>

namespace procpool::inline v0 {

/// The base of procpool's errors, but of SharedMemoryExhausted.
struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A task was submitted after close(), terminate() or kill().
struct PoolClosed : Error {
    /// With the library's text.
    PoolClosed();
    /// With a text of the thrower's.
    explicit PoolClosed(const std::string& what);
};

/// The task was unfinished when the pool was terminated or killed.
struct PoolTerminated : Error {
    /// With the library's text.
    PoolTerminated();
    /// With a text of the thrower's.
    explicit PoolTerminated(const std::string& what);
};

/// Workers keep dying before they can take a task, or the supervisor is gone; what() says why.
struct PoolBroken : Error {
    using Error::Error;
};

/// cancel() or kill() ended the task.
struct TaskCancelled : Error {
    /// With the library's text.
    TaskCancelled();
    /// With a text of the thrower's.
    explicit TaskCancelled(const std::string& what);
};

/// A value cannot travel, or its bytes do not decode.
struct CodecError : Error {
    using Error::Error;
};

/// The task ran longer than its timeout.
class TaskTimedOut : public Error {
public:
    /// The text names the limit, and the task where it has a label or is an item.
    explicit TaskTimedOut(std::chrono::nanoseconds limit, const std::string& label = {},
                          std::optional<std::size_t> item = {});
    /// The timeout that the task exceeded.
    [[nodiscard]] std::chrono::nanoseconds limit() const noexcept { return limit_; }
    /// The index of the item in its call over many; nothing for a task of its own.
    [[nodiscard]] std::optional<std::size_t> item() const noexcept { return item_; }

private:
    std::chrono::nanoseconds limit_;
    std::optional<std::size_t> item_;
};

/// as_completed() was given a time limit, and some futures were not ready by then.
class WaitTimedOut : public Error {
public:
    /// The text names both numbers of futures.
    WaitTimedOut(std::size_t unfinished, std::size_t total);
    /// The number of futures that were not ready in time.
    [[nodiscard]] std::size_t unfinished() const noexcept { return unfinished_; }

private:
    std::size_t unfinished_;
};

/// Stands for an exception of a type that does not travel, or for a thrown object that is no std::exception.
class RemoteError : public Error {
public:
    /// type_name: demangled. what: the text of what() here.
    RemoteError(std::string type_name, const std::string& what);
    /// The demangled name of the type that was thrown.
    [[nodiscard]] const std::string& type_name() const noexcept { return type_name_; }

private:
    std::string type_name_;
};

/// The process that ran the task ended before the task did.
class WorkerDied : public Error {
public:
    /// The text says how the process ended, and over which task.
    WorkerDied(ExitStatus status, std::int32_t pid, std::string label = {}, std::string backtrace = {},
               std::optional<std::size_t> item = {});

    /// How the process ended; unknown where the system did not tell.
    [[nodiscard]] ExitStatus exit_status() const noexcept { return status_; }
    /// The process that ended.
    [[nodiscard]] std::int32_t pid() const noexcept { return pid_; }
    /// TaskOptions::label of the task, or MapOptions::label; empty without one.
    [[nodiscard]] const std::string& label() const noexcept { return label_; }
    /// The index of the item in its call over many, the first one lost where items are counted in groups; nothing for a
    /// task of its own.
    [[nodiscard]] std::optional<std::size_t> item() const noexcept { return item_; }
    /// Where it crashed, one frame a line; empty when nothing was recorded.
    [[nodiscard]] const std::string& backtrace() const noexcept { return backtrace_; }

protected:
    /// As above, with a text of the thrower's first.
    WorkerDied(const std::string& what, ExitStatus status, std::int32_t pid, std::string&& label,
               std::string&& backtrace, std::optional<std::size_t> item);

private:
    ExitStatus status_;
    std::int32_t pid_;
    std::string label_;
    std::string backtrace_;
    std::optional<std::size_t> item_;
};

/// The worker had more memory of its own than PoolOptions::kill_rss allows, and was killed while it ran the task.
class MemoryLimitExceeded : public WorkerDied {
public:
    /// The text names both figures, and the task where it has a label or is an item. In bytes.
    MemoryLimitExceeded(std::uint64_t resident, std::uint64_t limit, std::int32_t pid = 0, std::string label = {},
                        std::optional<std::size_t> item = {});
    /// The bytes of its own that the worker had.
    [[nodiscard]] std::uint64_t resident() const noexcept { return resident_; }
    /// The most that it could have: PoolOptions::kill_rss.
    [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }

private:
    std::uint64_t resident_;
    std::uint64_t limit_;
};

/// The task's machine fell silent, or the companion that speaks to it ended; nobody knows how far the task got.
class NodeLost : public WorkerDied {
public:
    /// The text names the machine, and the task where it has a label or is an item.
    explicit NodeLost(std::string host, std::string label = {}, std::optional<std::size_t> item = {});
    /// The name of the machine.
    [[nodiscard]] const std::string& host() const noexcept { return host_; }

private:
    std::string host_;
};

/// A part of a scattered range is gone with the worker that kept it.
class PartLost : public Error {
public:
    /// The text names the part.
    explicit PartLost(std::size_t part);
    /// The part's index, which is that of its worker.
    [[nodiscard]] std::size_t part() const noexcept { return part_; }

private:
    std::size_t part_;
};

/// The process that owned an actor ended: before the call did, or before it was made.
class ActorDied : public WorkerDied {
public:
    /// The text says how the process ended, and the reason, which is that of a constructor that did not succeed. label:
    /// of the call; where it has none, the actor's name.
    ActorDied(ExitStatus status, std::int32_t pid, std::string label = {}, std::string backtrace = {},
              const std::string& reason = {});
};

/// A Supervisor has given up: its children ended more often than it may restart them.
class RestartsExhausted : public Error {
public:
    /// The text names both, and how the child ended.
    RestartsExhausted(const std::string& supervisor, std::string child, ExitStatus status);
    /// The name of the child that ended last.
    [[nodiscard]] const std::string& child() const noexcept { return child_; }
    /// How it ended.
    [[nodiscard]] ExitStatus exit_status() const noexcept { return status_; }

private:
    std::string child_;
    ExitStatus status_;
};

/// MapOptions::journal is a file that is no journal of this call: of another call, function, type or build, or none at
/// all. It stays as it was.
struct JournalMismatch : Error {
    using Error::Error;
};

/// Another call, of this program or another one, has MapOptions::journal open.
struct JournalBusy : Error {
    using Error::Error;
};

/// More items of a call failed than MapOptions::stop_after_failures allows.
class TooManyFailures : public Error {
public:
    /// The text names both numbers, and what the first error says. done: items that ended, those that failed included.
    TooManyFailures(std::size_t failed, std::size_t done, std::exception_ptr first);
    /// How many items failed, those included that were running when it was enough.
    [[nodiscard]] std::size_t failed() const noexcept { return failed_; }
    /// How many items ended, in this run of the call.
    [[nodiscard]] std::size_t done() const noexcept { return done_; }
    /// The error of the lowest item that failed, of those that are known; item_of() tells which.
    [[nodiscard]] const std::exception_ptr& first() const noexcept { return first_; }

private:
    std::size_t failed_;
    std::size_t done_;
    std::exception_ptr first_;
};

/// The last owner of a lock died while it held it, so that the data behind it may be half changed, and nobody has
/// recovered it since. The lock is not held.
class OwnerDied : public Error {
public:
    /// The text names the process, and the thread unless it is the first of its process, or not known (0).
    explicit OwnerDied(std::int32_t pid, std::int32_t thread = 0);
    /// The process that died, or of the thread that ended, and which may live on; 0 where it is not known.
    [[nodiscard]] std::int32_t pid() const noexcept { return pid_; }
    /// The thread that held the lock, as gettid() says; 0 where it is not known.
    [[nodiscard]] std::int32_t thread() const noexcept { return thread_; }

private:
    std::int32_t pid_;
    std::int32_t thread_;
};

/// A barrier was broken: one that had come died, ran out of time or called abort(), somebody called reset(), or the
/// completion function threw.
struct BrokenBarrier : Error {
    /// With the library's text.
    BrokenBarrier();
    /// With a text of the thrower's.
    explicit BrokenBarrier(const std::string& what);
};

/// The queue is closed: nothing can be put any more, and get() has found it drained.
struct QueueClosed : Error {
    /// With the library's text.
    QueueClosed();
    /// With a text of the thrower's.
    explicit QueueClosed(const std::string& what);
};

/// The other end of a pipe is closed or its process is dead, and everything that was sent has been received.
struct EndOfFile : Error {
    /// With the library's text.
    EndOfFile();
    /// With a text of the thrower's.
    explicit EndOfFile(const std::string& what);
};

/// The other end of a pipe is closed or its process is dead, so that nobody would receive what is sent.
struct BrokenPipe : Error {
    /// With the library's text.
    BrokenPipe();
    /// With a text of the thrower's.
    explicit BrokenPipe(const std::string& what);
};

/// There is not as much shared memory as was asked for.
class SharedMemoryExhausted : public std::bad_alloc {
public:
    /// An unknown number of bytes was asked for.
    SharedMemoryExhausted() = default;
    /// So many bytes were asked for.
    explicit SharedMemoryExhausted(std::uint64_t bytes) noexcept : bytes_(bytes) {}
    /// The same text for all.
    [[nodiscard]] PROCPOOL_DECL const char* what() const noexcept override;
    /// The number of bytes asked for; 0 when unknown.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

private:
    std::uint64_t bytes_ = 0;
};

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/core/error.ipp>
#endif

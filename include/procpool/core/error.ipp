// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/ending.hpp>
#include <procpool/core/error.hpp>

#include <exception>
#include <utility>

namespace procpool::inline v0 {

PROCPOOL_DECL PoolClosed::PoolClosed() : Error("procpool: the pool is closed") {}
PROCPOOL_DECL PoolClosed::PoolClosed(const std::string& what) : Error(what) {}

PROCPOOL_DECL PoolTerminated::PoolTerminated() : Error("procpool: the pool was terminated before the task finished") {}
PROCPOOL_DECL PoolTerminated::PoolTerminated(const std::string& what) : Error(what) {}

PROCPOOL_DECL TaskCancelled::TaskCancelled() : Error("procpool: the task was cancelled") {}
PROCPOOL_DECL TaskCancelled::TaskCancelled(const std::string& what) : Error(what) {}

PROCPOOL_DECL TaskTimedOut::TaskTimedOut(std::chrono::nanoseconds limit, const std::string& label,
                                         std::optional<std::size_t> item)
    : Error("procpool: " + detail::core::sentence(Ending::timed_out,
                                                  {.task = detail::core::task_name(label, item), .timeout = limit})),
      limit_(limit),
      item_(item) {}

PROCPOOL_DECL WaitTimedOut::WaitTimedOut(std::size_t unfinished, std::size_t total)
    : Error("procpool: " + std::to_string(unfinished) + " of " + std::to_string(total) + " futures unfinished"),
      unfinished_(unfinished) {}

PROCPOOL_DECL RemoteError::RemoteError(std::string type_name, const std::string& what)
    : Error(what),
      type_name_(std::move(type_name)) {}

namespace detail::core {

[[nodiscard]] PROCPOOL_DECL std::string text_of_death(const std::string& sentence, ExitStatus status) {
    return "procpool: " + sentence +
           (status.signal() == 9 ? "; if nobody sent the signal, the machine may have run out of memory" : "");
}

}  // namespace detail::core

PROCPOOL_DECL WorkerDied::WorkerDied(ExitStatus status, std::int32_t pid, std::string label, std::string backtrace,
                                     std::optional<std::size_t> item)
    : WorkerDied(detail::core::text_of_death(
                     detail::core::sentence(Ending::died, {.worker = "worker " + std::to_string(pid),
                                                           .task = detail::core::task_name(label, item),
                                                           .status = status}),
                     status),
                 status, pid, std::move(label), std::move(backtrace), item) {}

PROCPOOL_DECL WorkerDied::WorkerDied(const std::string& what, ExitStatus status, std::int32_t pid, std::string&& label,
                                     std::string&& backtrace, std::optional<std::size_t> item)
    : Error(what),
      status_(status),
      pid_(pid),
      label_(std::move(label)),
      backtrace_(std::move(backtrace)),
      item_(item) {}

PROCPOOL_DECL MemoryLimitExceeded::MemoryLimitExceeded(std::uint64_t resident, std::uint64_t limit, std::int32_t pid,
                                                       std::string label, std::optional<std::size_t> item)
    : WorkerDied("procpool: " + detail::core::sentence(Ending::memory_exceeded,
                                                       {.task = detail::core::task_name(label, item),
                                                        .excess = {.resident = resident, .limit = limit}}),
                 ExitStatus::from_signal(9), pid, std::move(label), {}, item),
      resident_(resident),
      limit_(limit) {}

PROCPOOL_DECL NodeLost::NodeLost(std::string host, std::string label, std::optional<std::size_t> item)
    : WorkerDied(
          "procpool: " +
              detail::core::sentence(Ending::node_lost, {.task = detail::core::task_name(label, item), .host = host}) +
              ", and nobody knows how far it got",
          {}, 0, std::move(label), {}, item),
      host_(std::move(host)) {}

PROCPOOL_DECL PartLost::PartLost(std::size_t part)
    : Error("procpool: part " + std::to_string(part) +
            " of a scattered range is lost: the worker that kept it has died, left or was replaced"),
      part_(part) {}

PROCPOOL_DECL ActorDied::ActorDied(ExitStatus status, std::int32_t pid, std::string label, std::string backtrace,
                                   const std::string& reason)
    : WorkerDied(detail::core::text_of_death("the actor's process " + std::to_string(pid) + " " + to_string(status) +
                                                 (label.empty() ? "" : " ('" + label + "')") +
                                                 (reason.empty() ? "" : ": " + reason),
                                             reason.empty() ? status : ExitStatus{}),
                 status, pid, std::move(label), std::move(backtrace), {}) {}

PROCPOOL_DECL RestartsExhausted::RestartsExhausted(const std::string& supervisor, std::string child, ExitStatus status)
    : Error("procpool: '" + supervisor + "' has given up: '" + child + "' " + to_string(status) +
            ", and there were as many restarts before as may be"),
      child_(std::move(child)),
      status_(status) {}

namespace detail::core {

[[nodiscard]] PROCPOOL_DECL std::string text_of_error(const std::exception_ptr& error) {
    try {
        if (error) { std::rethrow_exception(error); }
    } catch (const std::exception& e) { return std::string(": ") + e.what(); } catch (...) {
    }
    return {};
}

}  // namespace detail::core

PROCPOOL_DECL TooManyFailures::TooManyFailures(std::size_t failed, std::size_t done, std::exception_ptr first)
    : Error("procpool: " + std::to_string(failed) + " of " + std::to_string(done) + " items failed" +
            detail::core::text_of_error(first)),
      failed_(failed),
      done_(done),
      first_(std::move(first)) {}

PROCPOOL_DECL OwnerDied::OwnerDied(std::int32_t pid, std::int32_t thread)
    : Error("procpool: " +
            (thread != 0 && thread != pid
                 ? "thread " + std::to_string(thread) + " of process " + std::to_string(pid) + " ended"
                 : (pid != 0 ? "process " + std::to_string(pid) : std::string("a process")) + " died") +
            " while it held a lock, and what the lock protects may be half changed: look at it in recover()"),
      pid_(pid),
      thread_(thread) {}

PROCPOOL_DECL BrokenBarrier::BrokenBarrier() : Error("procpool: the barrier is broken") {}
PROCPOOL_DECL BrokenBarrier::BrokenBarrier(const std::string& what) : Error(what) {}

PROCPOOL_DECL QueueClosed::QueueClosed() : Error("procpool: the queue is closed") {}
PROCPOOL_DECL QueueClosed::QueueClosed(const std::string& what) : Error(what) {}

PROCPOOL_DECL EndOfFile::EndOfFile() : Error("procpool: the other end of the pipe is closed or dead") {}
PROCPOOL_DECL EndOfFile::EndOfFile(const std::string& what) : Error(what) {}

PROCPOOL_DECL BrokenPipe::BrokenPipe()
    : Error("procpool: nobody will receive: the pipe's other end is closed or dead") {}
PROCPOOL_DECL BrokenPipe::BrokenPipe(const std::string& what) : Error(what) {}

PROCPOOL_DECL const char* SharedMemoryExhausted::what() const noexcept { return "procpool: not enough shared memory"; }

}  // namespace procpool

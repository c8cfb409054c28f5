// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/ending.hpp>
#include <procpool/core/error.hpp>

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

PROCPOOL_DECL WorkerDied::WorkerDied(ExitStatus status, std::int32_t pid, std::string label, std::string backtrace,
                                     std::optional<std::size_t> item)
    : Error("procpool: " +
            detail::core::sentence(Ending::died, {.worker = "worker " + std::to_string(pid),
                                                  .task = detail::core::task_name(label, item),
                                                  .status = status}) +
            (status.signal() == 9 ? "; if nobody sent the signal, the machine may have run out of memory" : "")),
      status_(status),
      pid_(pid),
      label_(std::move(label)),
      backtrace_(std::move(backtrace)),
      item_(item) {}

PROCPOOL_DECL PartLost::PartLost(std::size_t part)
    : Error("procpool: part " + std::to_string(part) +
            " of a scattered range is lost: the worker that kept it has died or was replaced"),
      part_(part) {}

PROCPOOL_DECL const char* SharedMemoryExhausted::what() const noexcept { return "procpool: not enough shared memory"; }

}  // namespace procpool

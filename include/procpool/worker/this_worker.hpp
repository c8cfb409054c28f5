// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// this_worker, this_task, in_worker(): what a task may ask about where it runs.

#include <procpool/codec/task_frame.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <stop_token>

namespace procpool {

namespace worker {

/// Of the thread that runs tasks.
struct Identity {
    bool in_worker = false;
    std::uint32_t index = 0;
    std::int32_t pid = 0;
    std::uint32_t attempt = 0;
    TaskHost* host = nullptr;    ///< of the task that runs
    const char* pool = nullptr;  ///< name of the pool it works for; may be null
};
inline thread_local constinit Identity identity{};

/// How many pools this process is inside of. Counted in every forked worker, for all its threads.
inline constinit unsigned depth = 0;
inline constexpr unsigned deepest = 10;

[[nodiscard]] inline const Identity& identity_or_throw() {
    if (!identity.in_worker) { throw std::logic_error("procpool: not in a worker"); }
    return identity;
}

}  // namespace worker

/// Whether the caller is a task, an initializer or a finalizer.
[[nodiscard]] inline bool in_worker() noexcept { return worker::identity.in_worker; }

namespace this_worker {

/// From 0 to the pool's size() - 1; a replacement has the index of the worker it replaces. Throws: std::logic_error
/// outside workers.
[[nodiscard]] inline std::size_t index() { return worker::identity_or_throw().index; }
/// Throws: std::logic_error outside workers.
[[nodiscard]] inline std::int32_t pid() { return worker::identity_or_throw().pid; }

}  // namespace this_worker

namespace this_task {

/// Never used again for another task of the pool. 0 in an initializer or finalizer. Throws: std::logic_error outside
/// workers.
[[nodiscard]] inline std::uint64_t id() {
    const TaskHost* const host = worker::identity_or_throw().host;
    return host == nullptr ? 0 : host->id();
}

/// 0 the first time; a task that runs again after its worker died, or after it timed out, counts up. Throws:
/// std::logic_error outside workers.
[[nodiscard]] inline unsigned attempt() { return worker::identity_or_throw().attempt; }
/// Says when somebody has asked this task to stop. Throws: std::logic_error outside tasks; std::system_error when no
/// thread can be had.
[[nodiscard]] inline std::stop_token stop_token() {
    TaskHost* const host = worker::identity_or_throw().host;
    if (host == nullptr) { throw std::logic_error("procpool: not in a task"); }
    return host->stop_token();
}

}  // namespace this_task

}  // namespace procpool

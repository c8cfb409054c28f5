// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// TaskFrame: the input of a task's code, and where it leaves its result.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/task/thread_context.hpp>

#include <cstddef>
#include <span>

namespace procpool::inline v0::detail {

/// Lives in the worker while a task runs.
struct TaskFrame {
    std::span<const std::byte> arguments;
    Writer& result;
    detail::task::TaskContext& host;
    bool timed;                      ///< there is a time limit
    Ending outcome = Ending::value;  ///< exception: `result` holds one
};

/// Decodes the arguments, runs the task, encodes its result. Throws: any exception of the task.
using TaskCode = void (*)(TaskFrame&);

}  // namespace procpool::detail

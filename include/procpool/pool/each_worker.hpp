// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// submit_to_each(): one task for each of several workers.

#include <procpool/client/submission.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/function_ref.hpp>
#include <procpool/future/task_handle.hpp>
#include <procpool/pool/options.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace procpool::inline v0::detail::pool {

/// Effects: has a task run as the options say. Throws: std::invalid_argument.
inline void set_options(client::Submission& task, const TaskOptions& options) {
    check_task(options);
    task.timeout = options.timeout;
    task.retries = options.retries;
    task.priority = options.priority;
    task.label = options.label;
}

/// Returns: the indexes of so many workers.
[[nodiscard]] std::vector<std::uint32_t> first_workers(std::size_t count);
/// Returns: the indexes of all workers.
[[nodiscard]] std::vector<std::uint32_t> all_workers(client::Client& client);

/// Effects: hands over one task for each of these workers. Tasks of such calls start in the same order in all workers.
/// encode: gets the worker's index. Throws: as a submission, when nothing of the call runs any more; in a task of the
/// pool std::system_error (resource_deadlock_would_occur) with that text.
[[nodiscard]] std::vector<TaskHandle> submit_to_each(client::Client& to, const char* deadlock, client::Submission task,
                                                     std::span<const std::uint32_t> workers,
                                                     core::FunctionRef<void(Writer&, std::uint32_t)> encode);

/// Blocks until all have ended.
void wait_for_all(const std::vector<TaskHandle>& tasks);

}  // namespace procpool::detail::pool

#if PROCPOOL_BODIES
#include <procpool/pool/each_worker.ipp>
#endif

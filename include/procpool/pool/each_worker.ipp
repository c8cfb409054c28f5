// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/each_worker.hpp>

#include <procpool/client/client.hpp>
#include <procpool/core/deadlock.hpp>

#include <mutex>
#include <numeric>

namespace procpool::inline v0::detail::pool {

PROCPOOL_DECL std::vector<std::uint32_t> first_workers(std::size_t count) {
    std::vector<std::uint32_t> indexes(count);
    std::iota(indexes.begin(), indexes.end(), std::uint32_t{0});
    return indexes;
}

PROCPOOL_DECL std::vector<std::uint32_t> all_workers(client::Client& client) {
    return first_workers(client.board().all_workers());
}

PROCPOOL_DECL std::vector<TaskHandle> submit_to_each(client::Client& to, const char* deadlock, client::Submission task,
                                                     std::span<const std::uint32_t> workers,
                                                     core::FunctionRef<void(Writer&, std::uint32_t)> encode) {
    if (to.is_in_task()) { core::throw_deadlock(deadlock); }  // which would have to end first
    std::vector<TaskHandle> tasks;
    tasks.reserve(workers.size());
    const std::lock_guard one_at_a_time{to.every_worker().order};
    try {
        for (const std::uint32_t worker : workers) {
            task.worker = worker;
            tasks.emplace_back(to, *to.submit(task, [&](Writer& out) { encode(out, worker); }));
            tasks.back().set_observed();  // the call tells one error, whatever the others are
        }
    } catch (...) {  // the pool was closed meanwhile, or an argument's Codec threw
        for (const TaskHandle& one : tasks) { one.cancel(); }
        wait_for_all(tasks);
        throw;
    }
    return tasks;
}

PROCPOOL_DECL void wait_for_all(const std::vector<TaskHandle>& tasks) {
    for (const TaskHandle& task : tasks) { task.wait(Deadline::never()); }
}

}  // namespace procpool::detail::pool

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/host.hpp>
#include <procpool/task/machine.hpp>
#include <procpool/task/thread_context.hpp>
#include <procpool/worker/process.hpp>
#include <procpool/worker/this_worker.hpp>

#include <stdexcept>

namespace procpool::inline v0 {

namespace detail::worker {

[[nodiscard]] PROCPOOL_DECL const task::ThreadContext& context_or_throw() {
    if (!task::thread_context.in_worker) { throw std::logic_error("procpool: not in a worker"); }
    return task::thread_context;
}

}  // namespace detail::worker

PROCPOOL_DECL bool in_worker() noexcept { return detail::task::thread_context.in_worker; }

PROCPOOL_DECL std::size_t this_worker::index() {
    const std::size_t index = detail::worker::context_or_throw().index;
    const detail::task::Machine* const machine = detail::task::this_machine;
    // The machines of one pool count their workers on; a pool within a task counts its own.
    if (machine == nullptr || !detail::worker::is_parent_far) { return index; }
    return index + machine->first_index.load(std::memory_order_relaxed);
}
PROCPOOL_DECL std::string_view this_worker::host() {
    static const detail::os::HostName outside_mpi = detail::os::host_name();
    const detail::task::Machine* const machine = detail::task::this_machine;
    return machine != nullptr ? machine->host.data() : outside_mpi.data();
}
PROCPOOL_DECL int this_worker::node() noexcept {
    return detail::task::this_machine != nullptr ? detail::task::this_machine->node : 0;
}
PROCPOOL_DECL std::int32_t this_worker::pid() { return detail::worker::context_or_throw().pid; }

PROCPOOL_DECL std::uint64_t this_task::id() {
    const detail::task::TaskContext* const task = detail::worker::context_or_throw().task;
    return task == nullptr ? 0 : task->id();
}
PROCPOOL_DECL unsigned this_task::attempt() { return detail::worker::context_or_throw().attempt; }
PROCPOOL_DECL std::stop_token this_task::stop_token() {
    detail::task::TaskContext* const task = detail::worker::context_or_throw().task;
    if (task == nullptr) { throw std::logic_error("procpool: not in a task"); }
    return task->stop_token();
}

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// every_task_counts(): whether each task of a pool that has ended is in exactly one count of how tasks end.
/// wait_until_all_is_free(): whether a pool gives back what it took for arguments.

#include <procpool/client/client.hpp>
#include <procpool/mpi.hpp>
#include <procpool/task/board.hpp>
#include <procpool/task/thread_context.hpp>

#include "support/catch.hpp"
#include "support/events.hpp"

#include <cstddef>
#include <cstdint>

namespace machines {

// An explicit instantiation may name private members: tests look at the board, users cannot.
procpool::detail::client::Client* client_of(const procpool::detail::PoolBase& pool);
template <auto member>
struct ClientOf {
    friend procpool::detail::client::Client* client_of(const procpool::detail::PoolBase& pool) { return pool.*member; }
};
template struct ClientOf<&procpool::detail::PoolBase::client_>;

inline void every_task_counts(const procpool::MpiPool& pool) {
    const procpool::PoolStats stats = pool.stats();
    const procpool::detail::task::Control& control = client_of(pool)->board().control;
    // The rest of a chunk that runs again is a task of its own.
    const std::uint64_t resumed = control.resumed_casualties + control.resumed_timeouts + control.resumed_over_memory;
    CHECK(stats.submitted ==
          stats.completed + stats.failed + stats.cancelled + stats.timed_out + stats.memory_exceeded + resumed);
}

/// Pieces of the memory for arguments that are taken on rank 0, and where a task runs.
inline std::uint32_t taken_by(const procpool::MpiPool& pool) {
    return client_of(pool)->board().arguments.extents().was_owned();
}
inline std::uint32_t taken_here() {
    return procpool::detail::task::thread_context.task->board_of_task().arguments.extents().was_owned();
}
/// worker: of another machine.
inline void wait_until_all_is_free(procpool::MpiPool& pool, std::size_t worker) {
    procpool_test::wait_until([&] { return pool.apply_on(worker, taken_here) == 0 && taken_by(pool) == 0; },
                              "memory of both machines to be free");
}

}  // namespace machines

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// every_task_counts(): whether each task of a pool that has ended is in exactly one count of how tasks end.

#include <procpool/client/client.hpp>
#include <procpool/mpi.hpp>
#include <procpool/task/board.hpp>

#include "support/catch.hpp"

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
    const std::uint64_t resumed = control.resumed_casualties + control.resumed_timeouts;
    CHECK(stats.submitted == stats.completed + stats.failed + stats.cancelled + stats.timed_out + resumed);
}

}  // namespace machines

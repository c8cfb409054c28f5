// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// What the tests of several machines share. Each test case is a job of its own: on ranks other than 0 the pool's
/// constructor does not return.

#include <support/catch.hpp>

#include <procpool/mpi.hpp>
#include <procpool/procpool.hpp>

#include <chrono>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace machines {

/// Tasks run on the other machines only.
inline procpool::PoolOptions remote(std::size_t workers = 2) { return {.workers = workers, .mpi = {.use_root = false}}; }

/// The process of the rank that runs the caller's worker.
[[nodiscard]] int agent_of_this_task();

}  // namespace machines

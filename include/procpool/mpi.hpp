// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MpiEngine, MpiPool: a pool on all machines of an MPI job. Not part of <procpool/procpool.hpp>; needs the C interface
/// of MPI 3.1 or later.

#include <procpool/engine/engine.hpp>
#include <procpool/mpi/crew.hpp>
#include <procpool/pool/process_pool.hpp>
#include <procpool/worker/process.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace procpool::inline v0 {

namespace detail::mpi {

inline const engine::Traits traits{
    .shares_memory = false,
    .contains_crashes = true,
    .most_workers = SIZE_MAX,
    .place_of = worker::place_elsewhere,
    .prepare = prepare,
    .lay_out = lay_out,
    .make_crew = [](client::Client& client, worker::Setup setup) -> std::unique_ptr<client::Crew> {
        return std::make_unique<MpiCrew>(client, std::move(setup));
    }};

}  // namespace detail::mpi

/// Tasks run on this machine and on those of all other ranks of an MPI job, one rank a machine. Every rank builds the
/// pool, at the same place of the program: on rank 0 the constructor returns, when MPI has seen all ranks come there,
/// for which it waits as long as it takes, and every machine has said hello or MpiOptions::node_timeout is over; on the
/// others it serves tasks, and the program ends there. So what comes before it runs on all ranks, and what comes after
/// it on rank 0 only. Without a launcher it is a pool on this machine.
///
/// PoolOptions::workers counts on each machine, size() on all together. The code of users runs in forked workers only,
/// and the program's process never calls MPI. A machine that is lost costs the tasks that it had: they end in NodeLost,
/// or run elsewhere where they have retries left. There is one such pool in a program. Functions, their code and what
/// they refer to in static memory must be in the same build on all machines; addresses, memory that is shared on one
/// machine, snapshots and refork() are refused. A task runs, as running() and cancel() have it, from when it has been
/// sent to a machine: one that is cancelled before it has begun there ends in TaskCancelled all the same; terminate()
/// ends those that are there as soon as their machine hears of it.
///
/// Started by Open MPI and by Slurm:
/// \code
/// mpirun --map-by ppr:1:node --bind-to none ./app
/// srun --ntasks-per-node=1 --mpi=pmix ./app
/// \endcode
struct MpiEngine {
    /// Tasks may run on other machines, so that code travels by its name.
    static constexpr bool is_far = true;
    /// The traits that a pool reads.
    [[nodiscard]] static const detail::engine::Traits& traits() noexcept { return detail::mpi::traits; }
};
static_assert(Engine<MpiEngine>);

/// A pool on all machines of an MPI job.
using MpiPool = ProcessPool<MpiEngine>;

}  // namespace procpool

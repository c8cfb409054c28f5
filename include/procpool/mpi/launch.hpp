// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Launch: which rank of an MPI job a process is, before MPI is initialised.

#include <procpool/core/config.hpp>

#include <cstdlib>
#include <initializer_list>

namespace procpool::inline v0::detail::mpi {

/// As the launcher has written it into the environment: mpirun of OpenMPI, mpiexec of MPICH and its kin, srun.
struct Launch {
    int size = 1;
    int rank = 0;

    [[nodiscard]] static Launch of_this_process() noexcept {
        struct Names {
            const char* size;
            const char* rank;
        };
        // Slurm's come last: they are also there when mpirun is called in a job of its.
        for (const Names& names : {Names{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"}, Names{"PMI_SIZE", "PMI_RANK"},
                                   Names{"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}}) {
            const char* const size = std::getenv(names.size);
            const char* const rank = std::getenv(names.rank);
            if (size != nullptr && rank != nullptr) { return {std::atoi(size), std::atoi(rank)}; }
        }
        return {};
    }
};

}  // namespace procpool::detail::mpi

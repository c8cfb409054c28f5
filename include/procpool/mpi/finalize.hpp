// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// finalize(): ends this process's part in MPI, where other ranks may be lost.

#include <procpool/core/config.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/streams.hpp>

#include <mpi.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

#include <unistd.h>

namespace procpool::inline v0::detail::mpi {

/// Effects: MPI_Finalize(), which waits for the other ranks: when it has not returned within that time, the process
/// ends there, successfully.
inline void finalize(std::chrono::seconds longest) noexcept {
    struct sigaction ends {};
    ends.sa_handler = [](int) { os::leave(EXIT_SUCCESS); };
    ::sigaction(SIGALRM, &ends, nullptr);
    os::flush_standard_streams();
    ::alarm(static_cast<unsigned>(longest.count()));
    MPI_Finalize();
    ::alarm(0);
}

}  // namespace procpool::detail::mpi

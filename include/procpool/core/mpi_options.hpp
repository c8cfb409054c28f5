// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MpiOptions, NodeInfo: how a pool runs on several machines, and what it knows of them.

#include <procpool/core/config.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace procpool::inline v0 {

/// An MpiPool's treatment of its machines; other pools ignore it.
struct MpiOptions {
    /// Silence after which a machine is lost, at least 100 ms; and after which a machine that does not hear from that
    /// of rank 0 ends its workers and itself.
    std::chrono::milliseconds node_timeout{5000};
    /// Workers on the machine of rank 0 too. Without other machines there are workers in any case.
    bool use_root = true;
    /// The number of tasks that a machine may hold beyond one for each of its workers; 0: as many as its round trip
    /// demands, which is none where tasks take twenty times as long as that.
    std::size_t prefetch = 0;
};

/// One machine of an MpiPool.
struct NodeInfo {
    std::string host = {};                   ///< its name
    int rank = 0;                            ///< in the MPI job
    std::size_t workers = 0;                 ///< that it began with
    bool alive = true;                       ///< false once it is lost, or was refused
    std::uint64_t done = 0;                  ///< tasks that returned or threw there
    std::chrono::nanoseconds round_trip{0};  ///< of a task, without its own time; 0: none has come back
};

}  // namespace procpool

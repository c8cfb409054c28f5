// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Machine: what a process knows of the machine that it runs on.

#include <procpool/core/config.hpp>
#include <procpool/os/host.hpp>

#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::task {

/// In memory that the processes of one machine share; written before it is shared, but for the index.
struct Machine {
    std::int32_t node = 0;                      ///< its rank
    std::atomic<std::uint32_t> first_index{0};  ///< of its workers, once rank 0 has said so
    os::HostName host{};                        ///< its name
};

/// Null where the pool runs on this machine alone.
inline constinit const Machine* this_machine = nullptr;

}  // namespace procpool::detail::task

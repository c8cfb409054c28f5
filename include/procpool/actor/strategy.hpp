// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Strategy, SupervisorOptions and their like: how a Supervisor restarts its children.

#include <procpool/core/exit_status.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace procpool::inline v0 {

/// The children that a Supervisor restarts when one of them has ended.
enum class Strategy : std::uint8_t {
    one_for_one,  ///< that one
    one_for_all,  ///< all: the others are ended first, in reverse order
    rest_for_one  ///< that one, and those that were added after it, which are ended first, in reverse order
};

/// Whether a Supervisor restarts a child that has ended.
enum class Restart : std::uint8_t {
    permanent,  ///< always
    transient,  ///< unless it ended by itself with exit code 0
    temporary   ///< never
};

/// How a Supervisor is built.
struct SupervisorOptions {
    /// The children that are restarted when one has ended.
    Strategy strategy = Strategy::one_for_one;
    /// How many restarts there may be within `period`, of all children together; one that ends then ends all, see
    /// Supervisor::wait(). At most ActorOptions::max_restarts.
    unsigned intensity = 3;
    /// See `intensity`; the period slides.
    std::chrono::milliseconds period{5000};
    /// Names it in logs and errors.
    std::string name = "supervisor";
};

/// A child of a Supervisor.
struct ChildInfo {
    std::string name;          ///< from its options
    std::int32_t pid = 0;      ///< of its process, the last one when it has ended
    bool running = false;      ///< false when it has ended and stays so
    std::size_t restarts = 0;  ///< its own
    ExitStatus exit_status;    ///< of the last process of it that has ended by itself
};

}  // namespace procpool

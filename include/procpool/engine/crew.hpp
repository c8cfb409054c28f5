// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Crew: who runs the tasks of a board.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/deadline.hpp>

namespace procpool::engine {

/// Nothing here is called on the way of a task but run_here(), and that only by crews without workers.
/// Called by: parent, any thread.
class Crew {
public:
    Crew() = default;
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    virtual ~Crew() = default;

    /// Effects: somebody looks at Control, whose life the caller has changed.
    virtual void ring() noexcept = 0;

    /// Returns: whether everybody has ended who could still finish or decide a task.
    [[nodiscard]] virtual bool has_ended() noexcept = 0;

    /// Effects: blocks until has_ended(), and gives back what the system keeps for the crew. Returns: false when the deadline came first.
    virtual bool join(Deadline deadline) = 0;

    /// Whether a task that runs can be stopped by force.
    [[nodiscard]] virtual bool can_kill() const noexcept { return false; }

    /// Effects: what runs is finished, what has not started runs on workers that see the program's memory as it is now. Only for crews whose
    /// workers have memory of their own; blocks until there are new ones, or the pool has come to an end meanwhile.
    /// Throws: std::system_error when they cannot be had; then has_ended().
    virtual void refork() {}

    /// Effects: runs one pending task in the caller. Only crews without workers do anything.
    virtual void run_here() {}
    [[nodiscard]] virtual bool runs_here() const noexcept { return false; }
};

}  // namespace procpool::engine

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Crew: the workers that run the tasks of a board, as their client sees them.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/mpi_options.hpp>
#include <procpool/task/slot.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace procpool::inline v0::detail::client {

/// run_here() alone is on the hot path, and does something only where there are no workers.
/// Called by: parent, any thread.
class Crew {
public:
    Crew() = default;
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    virtual ~Crew() = default;

    /// Effects: makes the crew look at Control, which the caller has changed.
    virtual void ring() noexcept = 0;

    /// Returns: whether every process or thread that could still finish or decide a task has ended.
    [[nodiscard]] virtual bool has_ended() noexcept = 0;

    /// Effects: blocks until has_ended(), and releases the system's resources of the crew. Returns: false when the
    /// deadline came first.
    virtual bool join(Deadline deadline) = 0;

    /// The machines that the crew runs on; empty where it is this one alone.
    [[nodiscard]] virtual std::vector<NodeInfo> nodes() const { return {}; }
    /// Returns: the name of the machine whose tasks that seat has.
    [[nodiscard]] virtual std::string host_of(std::uint32_t) const { return {}; }
    /// Of the task in a slot whose seat is a companion's: as task::Seat::progress.
    [[nodiscard]] virtual std::uint64_t progress_of(std::uint32_t) const noexcept { return 0; }

    /// Whether a task that runs can be stopped by force.
    [[nodiscard]] virtual bool can_kill() const noexcept { return false; }

    /// Effects: running tasks finish; tasks that have not started run on workers that see the program's memory as it is
    /// now. Only for crews whose workers have memory of their own; blocks until there are new ones, or the pool has
    /// ended meanwhile. Throws: std::system_error when new workers cannot be had; then has_ended().
    virtual void refork() {}

    /// Effects: so many workers are wanted: task::Control::workers. Throws: std::system_error when a thread cannot be
    /// had.
    virtual void resize(std::uint32_t) {}

    /// Effects: runs one pending task in the caller. Only crews without workers do anything.
    virtual void run_here() {}
    [[nodiscard]] virtual bool runs_here() const noexcept { return false; }

    /// Effects: destroys what is kept for calls that have ended. Only crews without workers do anything: workers do it
    /// themselves.
    virtual void tidy() noexcept {}

    // ---- in a task of this crew that waits for others of it: no other thread may be there to run them. Only where
    // tasks share the parent's memory; elsewhere these do nothing. They run a task within the caller and return whether
    // they did.

    /// Whether the caller is in a task of this crew.
    [[nodiscard]] virtual bool is_in_task() const noexcept { return false; }
    /// Effects: runs the task in this slot, if it has not started. Throws: std::system_error when it is one that the
    /// caller is in.
    virtual bool run_awaited(std::uint32_t, task::Word) { return false; }
    /// Effects: runs a task whose end this waiter waits for.
    virtual bool run_awaited_by(std::uint32_t) { return false; }
    /// Effects: when all workers are Waiting, or would be, runs the task that was submitted last: most likely it is
    /// what one of them waits for.
    virtual bool run_any_if_all_wait() { return false; }
    /// Marks, while it lives, that the task of its worker waits for something that may depend on tasks of the crew.
    struct Waiting {
        explicit Waiting(Crew* at_work) noexcept : crew(at_work) {
            if (crew != nullptr) { crew->set_waiting(true); }
        }
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;
        ~Waiting() {
            if (crew != nullptr) { crew->set_waiting(false); }
        }
        Crew* const crew;
    };
    /// Effects: a slot may have become free. Called by: a thread that waits for one. Throws: std::system_error when no
    /// slot can become free.
    virtual bool make_room() { return false; }

protected:
    virtual void set_waiting(bool) noexcept {}
};

/// The crew of this thread: not null on threads that are workers, and on the first thread of a process that was forked
/// there.
inline constinit thread_local Crew* crew_of_thread = nullptr;

class Client;
/// The client of this thread's pool: as crew_of_thread, also where the thread that submits is the worker.
inline constinit thread_local Client* client_of_thread = nullptr;

/// Returns: the crew that the caller is a worker of; null on every other thread.
[[nodiscard]] inline Crew* crew_at_work() noexcept {
    return crew_of_thread != nullptr && crew_of_thread->is_in_task() ? crew_of_thread : nullptr;
}

}  // namespace procpool::detail::client

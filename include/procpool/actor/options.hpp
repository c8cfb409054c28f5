// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The options of an actor.

#include <procpool/core/config.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace procpool::inline v0 {

/// How an actor is made.
struct ActorOptions {
    /// How often the actor's process is replaced within `period` when it ends, whatever ended it: a crash, exit(), the
    /// timeout of a call. The new one constructs the object again, from the same arguments; the call that ran ends in
    /// ActorDied, those that wait are run by the new one. With one death more the actor is dead, and they end so too.
    /// At most max_restarts. Threads are not replaced.
    unsigned restarts = 0;
    /// See `restarts`; the period slides.
    std::chrono::milliseconds period{60000};
    /// The number of calls that are accepted and not finished; beyond it call() waits. As PoolOptions::queue_capacity.
    std::size_t queue_capacity = 256;
    /// ps and top show name:0 for the actor's process, cut to 15 characters; logs and errors name it.
    std::string name = "actor";
    /// The time that the constructor may take; a process that takes longer is killed, which counts as its death.
    std::chrono::milliseconds start_timeout{60000};
    /// The object is saved, by its Codec, after so many calls, before the last of them ends, and a restart constructs
    /// the object from what was saved last, not from the arguments. With 1, what a call that has ended did is never
    /// lost. 0: not by calls. An object that has no Codec is not saved: actor() throws std::invalid_argument then.
    unsigned snapshot_every = 0;
    /// The object is saved after a call if it was not in this time. 0: not by time.
    std::chrono::milliseconds snapshot_interval{0};
    /// Room for one saved object; address space, of which memory is used as needed, twice. One that needs more is not
    /// saved, which is logged.
    std::size_t snapshot_bytes = std::size_t{64} << 20;
    /// As PoolOptions::trace, for the actor's calls.
    bool trace = false;

    /// The largest value of `restarts`.
    static constexpr unsigned max_restarts = 10000;

    /// Whether the object is ever saved.
    [[nodiscard]] bool saves() const noexcept { return snapshot_every != 0 || snapshot_interval.count() > 0; }
};

/// Checks options as actor() does. Throws: std::invalid_argument.
void check(const ActorOptions& options);

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/actor/options.ipp>
#endif

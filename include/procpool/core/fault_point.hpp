// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Fault points: places between the steps of a protocol where tests kill or stop a worker. No code at all unless a
/// program defines PROCPOOL_FAULT_POINTS, in all of its sources.

#include <cstdint>

namespace procpool::inline v0::detail {

enum class FaultPoint : std::uint32_t {
    none,
    after_fork,     // a worker that has done nothing yet
    before_ready,   // the initializer has returned
    asleep,         // among the sleepers, not parked yet
    spinning,       // looks for work, others may rely on it
    level_empty,    // a priority was found empty, not marked so yet
    level_cleared,  // a priority is marked as empty, not looked at again yet
    mail_empty,     // no task for this worker was found, its mailbox is not cleared yet
    mail_cleared,   // its mailbox is cleared, not looked at again yet
    before_wake,    // a sleeper is taken out of the set, not notified yet
    after_claim,    // the task is started, head not helped on yet
    before_run,     // nothing decoded yet
    extent_taken,   // some extents of a large result are taken
    result_grown,   // a result has moved to larger memory, not noted in its slot yet
    result_half,    // in the middle of a result's bytes
    item_done,      // an item of a chunk is finished and accounted for
    before_done,    // the result is sealed
    after_done,     // the task is done, its waiter not notified yet
    marked,         // the task is done and marked for a thread that waits for many, which is not notified yet
    before_exit,    // leaves gracefully
    // actor
    snapshot_half,  // the object is saved, the word does not say so yet
    count
};

#ifdef PROCPOOL_FAULT_POINTS
/// Called at each point, in the process that reaches it; null: nothing happens. Set before the pool is built.
using FaultHook = void (*)(FaultPoint);
inline constinit FaultHook fault_hook = nullptr;
inline void reach(FaultPoint point) {
    if (fault_hook != nullptr) { fault_hook(point); }
}
#else
inline void reach(FaultPoint) noexcept {}
#endif

}  // namespace procpool::detail

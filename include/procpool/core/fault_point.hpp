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
    // tasks that depend on tasks
    edge_added,         // a task is among the dependants of another one, whose word does not say that there are any
    list_closed,        // the task is decided, those that depend on it are not told yet
    bit_cleared,        // one of them misses nothing more in this word, the others are not looked at yet
    ready_not_offered,  // it is pending, no worker can find it yet
    ready_kept,         // as ready_not_offered, and the worker that made it so claims it next
    ready_taken,        // a worker has found it, it is not started yet
    // guests
    guest_taking,      // a free slot is found, not the guest's own yet
    guest_taken,       // a guest's slot is its own, nothing is written there yet
    guest_filled,      // the task is written, not pending yet
    guest_pending,     // the task is pending, not in the ring yet
    guest_pushed,      // the task is in the ring, no worker is woken yet
    guest_parked,      // the word says that its guest will park, which it has not done yet
    guest_finishing,   // the result of a task whose guest sleeps is sealed, the task not done yet
    guest_done,        // the task is done, its guest not notified yet
    guest_read,        // the guest has the result, its slot is not free yet
    guest_found,       // a slot is found that nobody will read, not taken over yet
    guest_taken_over,  // a dead guest's slot is another's, who will free it
    // machines
    task_claimed_for_node,  // the companion has claimed a task for a machine, not sent it yet
    answer_received,        // the companion has an answer, the task is not decided yet
    task_received,          // an agent has a task, not submitted yet
    shared_sent,            // a machine has been sent what a task refers to, not the task yet
    shared_received,        // an agent has it, no task with it is submitted yet
    answer_ready,           // a task of an agent's is decided, the answer not sent yet
    // locks, in any process
    poisoned_not_consistent,  // an owner's death is noted, the next owner would still be told by the kernel
    condition_unlocked,       // among those that wait, without the lock, not asleep yet
    condition_woken,          // woken, without the lock yet
    // channel
    queue_cell_written,   // an item's cell says how long it is, its bytes are not there yet
    queue_bytes_half,     // half of its bytes are there
    queue_bytes_written,  // all are there, the queue's tail is not moved on yet
    queue_stepped,        // the tail is moved on, the lock of the producers still held
    queue_putter_asleep,  // a producer has said in the word that it sleeps, and does not yet
    queue_getter_asleep,  // a consumer has said so
    queue_copied_out,     // an item's bytes are copied, the queue's head is not moved on yet
    queue_taken,          // the head is moved on, the lock of the consumers still held
    queue_half_closed,    // producers are told that the queue is closed, those that sleep are not
    end_given,            // a process that gets an end of a pipe as an argument has not bound it yet
    queue_item_done,      // an item counts as done, but still as its consumer's
    // events
    before_change,        // somebody sleeps on a word that is about to change
    sleeper_marked,       // the word says that somebody sleeps, who does not yet
    sleeper_woken,        // has slept, has not looked yet
    semaphore_front,      // the first of those that wait, has not looked yet
    semaphore_taken,      // has a permit, is still the first
    permits_taken,        // no permit was free, does not sleep yet
    permit_freed,         // a permit is free, sleepers are not woken yet
    barrier_stamped,      // among those that have come, not counted yet
    barrier_counted,      // counted
    barrier_last,         // the last one, who has found the others alive
    barrier_completed,    // the completion function has returned
    barrier_before_pass,  // nobody has come to the next pass, this one's sleepers are not woken yet
    barrier_not_woken,    // the round has ended or the barrier is broken, its sleepers are not woken yet
    // journals of calls over many items, in the program that makes the call
    journal_opened,   // the file is there and locked, nothing of it is read or written yet
    journal_begun,    // its head is written, no record yet
    journal_cut,      // what lay behind the last whole record is gone
    journal_taken,    // the caller has results that are not recorded yet
    journal_written,  // they are
    journal_removed,  // the call has succeeded, its file is gone
    // memo
    memo_alone,      // a process is alone with a memo's directory, and has made nothing yet
    memo_made,       // its files are made, LMDB has not opened them yet
    memo_missing,    // an entry is not there, its function not called yet
    memo_computed,   // the result is there, not kept yet
    memo_locked,     // the lock of the one who writes is held, nothing is written yet
    memo_written,    // entries are written, not committed yet
    memo_committed,  // they are committed, the state of the file not noted yet
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

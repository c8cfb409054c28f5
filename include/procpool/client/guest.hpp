// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// GuestTask: a task that a process has submitted to a board whose pool is another process's.

#include <procpool/client/guest_board.hpp>
#include <procpool/client/holder.hpp>
#include <procpool/client/parcel.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/client/taken.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/os/identity.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace procpool::inline v0::detail::task {
class Board;
class Word;
struct Offer;
}  // namespace procpool::detail::task
namespace procpool::inline v0::detail::worker {
class Loop;
}

namespace procpool::inline v0::detail::client {

class GuestTask;

/// Returns: the pool that the caller is a task of, where that is a worker process; an empty one elsewhere.
[[nodiscard]] GuestBoard board_of_this_task() noexcept;

/// Effects: submits a task, with `encode`'s payload; waits while all slots are taken. The priority, waiter and worker
/// of the submission are ignored. Returns: the task, which the caller owns: see GuestTask::release(). Throws:
/// PoolClosed; PoolBroken; CodecError; SharedMemoryExhausted; any exception of `encode`.
/// Called by: any thread.
[[nodiscard]] GuestTask* submit_as_guest(GuestBoard to, const Submission& submission, Encode encode);

/// Throws: CodecError when the caller is a worker whose parent has not the code at that address.
void check_code_of_parent(std::uintptr_t address);

/// While it lives, the calling thread is among the workers that are woken for pending tasks of guests. It may sleep
/// when it has looked afterwards for what it waits for, and found may_help() false.
class Helping {
public:
    /// loop: null: it is no worker, and nothing happens. place: among sync::Members, whose parker the thread will sleep
    /// on; 0: the worker's own parker.
    Helping(worker::Loop* loop, std::uint32_t place) noexcept;
    Helping(const Helping&) = delete;
    Helping& operator=(const Helping&) = delete;
    ~Helping();
    [[nodiscard]] bool may_help() const noexcept;

private:
    worker::Loop* const loop_;
};

/// One task of a guest, as long as its result may be asked for. Belongs to the process that submitted it; in a child
/// that was forked since, all but is_mine() is forbidden. Called by: all but take() and release() concurrently with
/// each other and with one take().
class GuestTask final : public Holder {
public:
    GuestTask(GuestBoard at, const Submission& submission);

    [[nodiscard]] bool is_own() const noexcept { return os::is_process(process_); }

    [[nodiscard]] bool is_decided() const noexcept;
    /// As is_decided(), for callers that ask again and again: now and then it makes sure that the pool is there.
    [[nodiscard]] bool poll() noexcept;
    [[nodiscard]] bool is_running() const noexcept;
    /// Blocks until the task is decided. A task of a worker runs this task meanwhile, and others of guests. Returns:
    /// false when the deadline came first.
    bool wait(Deadline deadline);
    /// Effects: the parker of that place among sync::Members is notified when the task is decided; of several such
    /// calls, the last one counts. Returns: false when the task is decided, or will be at any moment.
    [[nodiscard]] bool call_when_decided(std::uint32_t place) noexcept;
    /// Effects: decides the task if no process is left that would. Called by: a thread that has waited for a while.
    void check_pool() noexcept;
    /// Returns: the loop of the caller, if that is a worker which may run tasks of this board's guests while it waits;
    /// null.
    [[nodiscard]] worker::Loop* helper() const noexcept;
    /// Throws: std::system_error (resource_deadlock_would_occur) in the call of an actor that would wait for another
    /// one of it without end.
    void require_other_actor() const;
    /// Effects: runs one pending task of a guest, where the caller is a task of the same pool. Returns: whether it did.
    bool help();

    /// Effects: a task that has not started will not run; one that runs is asked to stop. Returns: whether it will not
    /// run.
    bool cancel() noexcept;
    /// Effects: as cancel(), but the worker of one that runs is killed. Returns: false when it was decided.
    bool kill() noexcept;

    /// Returns: what the task left. Requires: is_decided().
    [[nodiscard]] Taken take();
    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    /// Effects: an error of the task will not count as unobserved.
    void set_observed() noexcept { is_observed_.store(true, std::memory_order_relaxed); }
    /// Gives the task up, with the last reference: one that has not been taken runs on.
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) { give_up(); }
    }

private:
    friend class GuestTasks;
    friend GuestTask* submit_as_guest(GuestBoard, const Submission&, Encode);

    ~GuestTask() = default;
    void give_up() noexcept;

    [[nodiscard]] task::Board& board() const noexcept { return *at_.board; }
    [[nodiscard]] task::Word word() const noexcept;
    [[nodiscard]] task::Offer offer() const noexcept;
    /// Whether the slot is not this task's any more.
    [[nodiscard]] bool has_left() const noexcept;
    /// Effects: runs the task in the caller, without a slot, and keeps its result.
    void run_here(worker::Loop& loop, const Submission& submission, Encode encode);
    void fill(const Submission& submission);
    void publish(const Submission& submission);
    bool wait_and_help(worker::Loop& loop, Deadline deadline);
    void park(worker::Loop& loop, Deadline deadline);
    bool sleep(Deadline deadline);
    [[nodiscard]] bool set_flag(std::uint64_t flag) noexcept;
    [[nodiscard]] static Parcel done_with(Ending ending);
    /// Returns: how the task ended, without its bytes.
    [[nodiscard]] Parcel describe(task::Word decided) const;
    [[nodiscard]] Parcel describe_failure(Ending ending) const;
    /// Effects: the result leaves its slot. Requires: the process's list is locked. Throws: std::bad_alloc,
    /// SharedMemoryExhausted; nothing has changed then.
    void take_over();

    const GuestBoard at_;
    const os::Token process_;
    std::uint32_t slot_ = 0;
    std::uint32_t generation_ = 0;
    std::uint64_t number_ = 0;
    const std::chrono::nanoseconds timeout_;
    const std::string label_;
    std::atomic<bool> has_left_{false};  // kept_ has the result, or it is taken; written with the list locked
    std::atomic<bool> is_observed_{false};
    std::atomic<std::uint32_t> references_{1};
    std::atomic<std::uint32_t> polls_{0};
    Parcel kept_;
    bool is_listed_ = false;  // these are of the process's list
    GuestTask* next_ = nullptr;
    GuestTask* before_ = nullptr;
};

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/guest.ipp>
#endif

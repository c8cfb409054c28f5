// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// CallbackLoop: lets the program's callback thread run other callbacks instead of blocking.

#include <procpool/client/parkers.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/os/per_process.hpp>
#include <procpool/sync/parker.hpp>

namespace procpool::inline v0::detail::future {
class Completion;
}

namespace procpool::inline v0::detail::client {

class Client;
struct Ticket;

/// Called by: the callback thread, in a callback.
class CallbackLoop : public os::OfOneProcess {
public:
    CallbackLoop() = default;
    CallbackLoop(const CallbackLoop&) = delete;
    CallbackLoop& operator=(const CallbackLoop&) = delete;

    /// Effects: blocks until it is decided, and runs callbacks meanwhile. Returns: false when the deadline came first.
    virtual bool wait(Client& client, Ticket ticket, Deadline deadline) = 0;
    virtual bool wait(future::Completion& completion, Deadline deadline) = 0;

    /// Effects: runs one callback, if one is ready. Returns: whether it ran one.
    virtual bool run_one() = 0;
    /// Whether run_one() may do something. Memory order: none; it is asked again and again.
    [[nodiscard]] virtual bool may_run() const noexcept = 0;
    /// Effects: as Client::check_crew() for the pools whose tasks are waited for: decides their tasks if their
    /// supervisor has been killed. Called by: a thread that has slept for a while.
    virtual void check_crews() noexcept = 0;
    /// Returns: the parker that the thread sleeps on when run_one() returned false, unless it sleeps on its own among
    /// sync::Members.
    [[nodiscard]] virtual const Parkers::Lease& sleeper() const noexcept = 0;
    /// Whether that parker is notified when there is something to run. Effects: it will be.
    [[nodiscard]] virtual bool listens_at(sync::Parker* parker) noexcept = 0;

protected:
    ~CallbackLoop() = default;
};

/// The loop of this thread: not null on the callback thread, and on the first thread of a process that was forked
/// there.
inline constinit thread_local CallbackLoop* loop_of_thread = nullptr;

/// Returns: the loop to wait in; null on every thread but the callback thread.
[[nodiscard]] inline CallbackLoop* callback_loop() noexcept {
    return loop_of_thread != nullptr && loop_of_thread->is_mine() ? loop_of_thread : nullptr;
}

}  // namespace procpool::detail::client

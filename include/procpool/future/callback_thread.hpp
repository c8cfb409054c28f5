// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// CallbackThread: the one thread of the program that calls the users' functions when something is decided.

#include <procpool/client/callback_loop.hpp>
#include <procpool/client/client_ref.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/future/completion.hpp>
#include <procpool/future/wait_set.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <vector>

namespace procpool::inline v0::detail::future {

/// The thread starts when a completion gets its first function, with all signals blocked, and ends a moment after the
/// last function has returned. Only the process that started it has it: a forked child makes an object, and a thread,
/// of its own. Called by: any thread, unless said otherwise.
class CallbackThread final : public client::CallbackLoop {
public:
    /// Throws: SharedMemoryExhausted, std::bad_alloc; at the first call only.
    [[nodiscard]] static CallbackThread& of_this_process();

    /// Effects: there is a thread until end(). Called by: a completion, when it has functions to be called; a lock of
    /// it may be held. Throws: std::system_error when the thread cannot be had.
    void begin();
    void end() noexcept;

    /// Effects: the next function of a decided completion will be called. Between begin() and end() of it.
    void post(Completion& completion) noexcept;

    /// Effects: the completion is decided when the task is. Between begin() and end() of it. Requires: the caller's
    /// ticket is not released meanwhile; later it may be. Throws: std::bad_alloc.
    void watch(client::Client& client, client::Ticket ticket, Counted<Completion> completion);

    /// As above, of a guest.
    void watch(client::GuestTask& task, Counted<Completion> completion);

    // ---- the callback thread

    PROCPOOL_DECL bool wait(client::Client& client, client::Ticket ticket, Deadline deadline) override;
    PROCPOOL_DECL bool wait(Completion& completion, Deadline deadline) override;
    PROCPOOL_DECL bool run_one() override;
    [[nodiscard]] PROCPOOL_DECL bool may_run() const noexcept override;
    void check_crews() noexcept override { wait_set_.check_crews(); }
    [[nodiscard]] const client::Parkers::Lease& sleeper() const noexcept override { return wait_set_.sleeper(); }
    [[nodiscard]] bool listens_at(sync::Parker* parker) noexcept override { return wait_set_.listens_at(parker); }

private:
    struct Watched {
        client::ClientRef client;  // none: a guest's
        client::Ticket ticket;
        client::GuestTask* guest;  // one reference
        Counted<Completion> completion;
    };
    void watch(Watched watched);

    void serve() noexcept;
    bool take_stock();

    std::mutex mutex_;
    std::uint64_t outstanding_ = 0;  // completions that have functions to be called, now or later
    bool has_thread_ = false;
    Completion* first_ready_ = nullptr;  // decided ones with functions that wait to be called
    Completion* last_ready_ = nullptr;
    std::vector<Watched> incoming_;
    std::atomic<bool> has_work_{false};  // something is in those; written under mutex_
    WaitSet wait_set_;                   // of the thread; its keys are completions, one reference each
};

}  // namespace procpool::detail::future

#if PROCPOOL_BODIES
#include <procpool/future/callback_thread.ipp>
#endif

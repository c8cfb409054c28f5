// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client_wait.hpp>

#include <procpool/client/callback_loop.hpp>
#include <procpool/os/yield.hpp>

#include <algorithm>
#include <chrono>

namespace procpool::inline v0::detail::client {

/// Polls for about as long as going to sleep and being woken would cost. Returns: whether `ready()`.
template <class Ready>
bool Client::spin(Ready ready, Deadline deadline) {
    for (int round = 0; round < os::spin_rounds; ++round) {
        for (int i = 0; i < os::looks_per_round; ++i) {
            if (ready()) { return true; }
            relax();
        }
        if (deadline.passed()) { return false; }
        os::yield();  // a worker may need this very processor
    }
    return false;
}

/// Spins for one task. Each look takes the slot's line from the worker that is about to write there, which must fetch
/// it back: so there is no look before the task is expected to have ended, judging by the last tasks.
PROCPOOL_DECL bool Client::spin_for(Ticket ticket, Deadline deadline) {
    constexpr int longest = 32;
    const int pause = pause_.load(std::memory_order_relaxed);  // a guess, and any thread's is as good
    for (int i = 0; i < pause; ++i) { relax(); }
    int looks = 0;
    const bool found = spin([&] { return ++looks, is_decided(ticket); }, deadline);
    const int next = looks == 1 ? pause - (pause + 7) / 8 : std::min(longest, pause + looks / 2);
    pause_.store(looks <= os::looks_per_round ? next : 0, std::memory_order_relaxed);
    return found;
}

PROCPOOL_DECL bool Client::wait_longer(Ticket ticket, Deadline deadline) {
    if (spin_for(ticket, deadline)) { return true; }
    const auto decided = [&] { return is_decided(ticket); };
    if (CallbackLoop* const loop = callback_loop()) { return loop->wait(*this, ticket, deadline); }
    while (!decided()) {
        if (deadline.passed()) { return false; }
        if (deadline.is_never() && crew_->run_awaited(ticket.slot, word_of(ticket))) { continue; }
        const Deadline next = deadline.or_sooner(Deadline::after(longest_sleep));
        const Parkers::Lease lease = parkers_.lease();
        if (lease) { board_.wait_for(ticket.slot, lease.index()); }
        const Crew::Waiting waiting{crew_at_work()};
        if (!decided()) { lease.park(next); }
        if (!decided()) { after_long_sleep(); }
    }
    return true;
}

PROCPOOL_DECL bool Client::wait_on(const Parkers::Lease& lease, core::FunctionRef<bool()> ready, Deadline deadline,
                                   bool soon) {
    if (soon && spin(ready, deadline)) { return true; }
    CallbackLoop* const loop = callback_loop();
    while (!ready()) {
        if (deadline.passed()) { return false; }
        if (loop != nullptr && loop->run_one()) { continue; }
        if (lease && crew_->run_awaited_by(lease.index())) { continue; }
        const Crew::Waiting waiting{crew_at_work()};
        // A notification of the loop does not wake this lease.
        lease.park(deadline.or_sooner(Deadline::after(loop != nullptr ? std::chrono::milliseconds{1} : longest_sleep)));
        if (!ready()) { after_long_sleep(); }
    }
    return true;
}

PROCPOOL_DECL void Client::after_long_sleep() noexcept {
    check_crew();
    // A worker that said it would look for work may have been stopped before it did.
    if (!board_.queue.was_empty()) { board_.wake_one(); }
    audit();
}

}  // namespace procpool::detail::client

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client_cancel.hpp>

#include <cstdint>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL bool Client::withdraw(Ticket ticket) noexcept {
    for (;;) {
        const task::Word word = word_of(ticket);
        if (!word.has_not_started()) { return false; }
        // withdraw() fails when the task starts meanwhile, or got another generation in make_room().
        if (board_.withdraw(ticket.slot, word.generation())) {
            board_.head.cancelled.fetch_add(1, std::memory_order_relaxed);
            board_.wake_for_ready();
            return true;
        }
    }
}

PROCPOOL_DECL void Client::request_stop(Ticket ticket) noexcept {
    // The request is read first: if the slot is still the ticket's afterwards, no thread has asked its next task to
    // stop yet, and that request stays.
    const std::uint64_t seen = slot(ticket.slot).stop_request.load(std::memory_order_acquire);
    board_.request_stop(ticket.slot, word_of(ticket), ticket.serial, seen);
}

PROCPOOL_DECL void Client::request_stop_of_all() noexcept {
    for (std::uint32_t index = 0; index < board_.used_slots().size(); ++index) {
        board_.request_stop_if(index, [](task::Word) { return true; });
    }
}

PROCPOOL_DECL bool Client::kill(Ticket ticket) noexcept {
    for (;;) {
        if (withdraw(ticket)) { return true; }
        const task::Word word = word_of(ticket);
        if (word.has_not_started()) { continue; }  // it was requeued between
        if (word.phase() != task::Phase::started) { return false; }
        if (word.is_condemned() && word.verdict() == Ending::cancelled) { return true; }
        if (!crew_->can_kill()) {
            request_stop(ticket);
            return true;
        }
        if (board_.condemn(ticket.slot, word.generation(), Ending::cancelled)) {
            board_.head.cancelled.fetch_add(1, std::memory_order_relaxed);
            crew_->ring();
            return true;
        }
    }
}

}  // namespace procpool::detail::client

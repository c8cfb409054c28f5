// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/driver_hedging.hpp>

#include <procpool/client/client.hpp>
#include <procpool/map/hedges.hpp>
#include <procpool/map/journaled_call.hpp>

#include <stdexcept>
#include <utility>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL void refuse_hedge(const MapOptions& options) {
    if (options.hedge != 0) {
        throw std::invalid_argument(
            "procpool: for_each() of a function that changes its items has no MapOptions::hedge, since two runs of an "
            "item would both change it");
    }
}

/// Of two runs of a chunk the first that is done counts, whatever it has to tell. One that has failed, as by the death
/// of its worker, counts when the other one has failed, too.
PROCPOOL_DECL void MapDriver::settle_hedged(InFlightChunk& chunk) {
    Hedge& hedge = *chunk.hedge;
    if (!chunk.task.is_decided()) {
        std::swap(chunk.task, hedge.task);
        std::swap(chunk.ticket, hedge.ticket);
    }
    const auto settle = [&](const client::Taken& settled) {
        chunk.hedge.reset();  // what is left of it is another chunk
        this->settle_as(std::move(chunk), settled);
    };
    const client::Taken taken = chunk.task.take();
    if (!hedge.is_submitted()) { return settle(taken); }
    if (taken.phase() == task::Phase::done) {
        hedges_->lose(std::move(hedge.task));
        return settle(taken);
    }
    if (!hedge.task.is_decided()) {
        chunk.task = std::move(hedge.task);
        chunk.ticket = hedge.ticket;
        hedge.is_over = true;
        return;
    }
    const client::Taken other = hedge.task.take();
    // One that had not begun has less to tell.
    settle(other.phase() == task::Phase::done || taken.phase() == task::Phase::cancelled ? other : taken);
}

/// Whether there is nothing left to submit but second runs. A consumer's call waits only then.
PROCPOOL_DECL bool MapDriver::may_hedge() const noexcept {
    if (ledger_.is_stopped() || ledger_.has_resubmissions()) { return false; }
    return driven_by_ == DrivenBy::consumer || (input_over_ && (journaled_ == nullptr || !journaled_->has_runs()));
}

/// Effects: submits second runs of chunks that take long.
PROCPOOL_DECL void MapDriver::hedge() {
    while (InFlightChunk* const chunk = hedges_->find(ledger_.in_flight(), workers(), may_hedge())) {
        try {
            if (const auto ticket = submit_again(*chunk)) {
                Hedges::submitted(*chunk, client_, *ticket);
            } else {
                Hedges::postpone(*chunk);
            }
        } catch (...) { chunk->hedge->is_over = true; }  // it goes on without
    }
}

PROCPOOL_DECL void MapDriver::end_hedges(bool waits) {
    if (hedges_ == nullptr) { return; }
    hedges_->kill_lost();
    while (waits && hedges_->forget_decided_lost()) {
        client_.wait_on(
            lease_, [&] { return hedges_->has_decided_lost(); }, Deadline::never(), false);
    }
}

}  // namespace procpool::detail::map

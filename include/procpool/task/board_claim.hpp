// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Board: how a worker takes a task out of a ring.

#include <procpool/task/board.hpp>

namespace procpool::inline v0::detail::task {

[[gnu::always_inline]] inline std::optional<Claim> Board::claim_from(Ring& ring, std::uint32_t seat) noexcept {
    for (;;) {
        const std::uint64_t position = ring.head();
        const std::optional<Offer> offer = ring.at(position);
        if (!offer) {
            if (ring.head() == position) { return std::nullopt; }
            continue;
        }
        // The word is known unless a thread waits for the task, so try without loading it: its line is transferred
        // once, not twice.
        Word expected = Word::pending(offer->generation, false);
        do {
            std::uint64_t bits = expected.bits();
            // acquire: sees the payload that was written before the word became pending.
            if (slots_[offer->slot].word.compare_exchange_strong(
                    bits, expected.started_by(seat).bits(), std::memory_order_acq_rel, std::memory_order_acquire)) {
                reach(FaultPoint::after_claim);
                ring.advance_past(position);
                // Prefetches the line of the task that this worker is likely to claim next, while this one runs.
                if (const std::optional<Offer> next = ring.at(position + control.places)) {
                    prefetch_for_write(&slots_[next->slot]);
                }
                return Claim{offer->slot, offer->generation};
            }
            expected = Word{bits};
        } while (expected.phase() == Phase::pending && expected.generation() == offer->generation);
        ring.advance_past(position);
    }
}

}  // namespace procpool::detail::task

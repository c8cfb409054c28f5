// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Mailbox: a task for the worker of one index, whichever process that is.

#include <procpool/core/platform.hpp>
#include <procpool/task/ring.hpp>

#include <atomic>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// One box for each index; holds one offer, or nothing. Like an entry of a ring it only says where to look: the slot's
/// word decides who runs the task, so an offer that stays here after its worker has died is found stale by the next
/// worker. Written by the parent when the last task in it is decided; a line of its own, which workers share between
/// writes. All-zero memory is an empty box.
class alignas(cache_line) Mailbox {
public:
    /// Fills the box. The worker must be notified afterwards. Called by: parent, when it has published the slot's word.
    /// Memory order: release is enough for the worker, which looks here before every park(), and whose parker is
    /// notified after this. If it took that notification before it looked, the look sees what came before the
    /// notification; if not, its park() returns at once. seq_cst: the slot's word is published before the parent's look
    /// at life, as by Ring::push().
    void put(Offer offer) noexcept { word_.store(bits(offer), std::memory_order_seq_cst); }

    /// Memory order: acquire: sees the slot's word as it was published.
    [[nodiscard]] bool was_empty() const noexcept { return word_.load(std::memory_order_acquire) == 0; }

    /// Returns: the offer in the box. Requires: not was_empty(); its worker alone takes anything out.
    [[nodiscard]] Offer look() const noexcept {
        const std::uint64_t found = word_.load(std::memory_order_acquire) - 1;
        return {static_cast<std::uint32_t>(found), static_cast<std::uint32_t>(found >> 32)};
    }

    /// Effects: empties the box, unless it holds another offer by now. Called by: worker, when the offer is stale.
    /// Memory order: acq_rel, as Ring::advance_past().
    void remove(Offer offer) noexcept {
        std::uint64_t expected = bits(offer);
        word_.compare_exchange_strong(expected, 0, std::memory_order_acq_rel, std::memory_order_relaxed);
    }

private:
    [[nodiscard]] static constexpr std::uint64_t bits(Offer offer) noexcept {
        return (std::uint64_t{offer.generation} << 32 | offer.slot) + 1;
    }

    std::atomic<std::uint64_t> word_;
};

static_assert(std::is_trivially_destructible_v<Mailbox>, "no process runs destructors in shared memory");

}  // namespace procpool::detail::task

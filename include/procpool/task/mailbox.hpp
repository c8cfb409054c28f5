// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Mailbox: what workers write of the tasks for the worker of one index, whichever process that is.

#include <procpool/core/platform.hpp>
#include <procpool/task/ring.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// One for each index. The tasks are offered by a ring of that index, to which the parent adds; here are its head, a
/// mark that says whether a look at it is worth while, and one offer that was put back: a task that runs again after
/// its worker died, and goes before the others. As an entry of a ring, an offer only says where to look: the slot's
/// word decides who runs the task. A line of its own, which workers share between writes. All-zero memory is an empty
/// box.
class alignas(cache_line) Mailbox {
public:
    /// Whether there is nothing to look for: neither mark nor offer.
    /// Memory order: seq_cst: a worker looks here before every park(); see Board::wake_for_mail().
    [[nodiscard]] bool was_empty() const noexcept { return word_.load(std::memory_order_seq_cst) == 0; }

    /// Says that the ring may hold something. The worker must be notified afterwards. Called by: parent, after the
    /// push; supervisor, for a worker that died; a worker that has cleared the mark too early.
    /// Memory order: seq_cst, as Queue::push(): the ring comes first, and a worker that clears the mark then looks at
    /// the ring.
    void mark() noexcept { word_.fetch_or(marked, std::memory_order_seq_cst); }
    /// Takes the mark away. The ring must be looked at once more afterwards. Called by: worker, when it was empty.
    void clear_mark() noexcept { word_.fetch_and(~marked, std::memory_order_seq_cst); }

    /// Puts back an offer, in the place of one that must be stale: a worker takes it before any other mail, and only
    /// its death brings the next. Called by: supervisor, when it has made the slot's word pending again.
    void put_back(Offer offer) noexcept {
        std::uint64_t seen = word_.load(std::memory_order_relaxed);
        while (!word_.compare_exchange_weak(seen, (seen & marked) | bits(offer), std::memory_order_seq_cst)) {}
    }
    /// Returns: the offer that was put back; a slot beyond all others where a task has written here.
    /// Memory order: acquire: sees the slot's word as it was published.
    [[nodiscard]] std::optional<Offer> look() const noexcept {
        const std::uint64_t found = word_.load(std::memory_order_acquire) & ~marked;
        if (found == 0) { return std::nullopt; }
        return Offer{static_cast<std::uint32_t>(found) - 1, static_cast<std::uint32_t>(found >> 32)};
    }
    /// Effects: takes out an offer that was put back, unless there is another by now. Called by: worker, when it is
    /// stale. Memory order: acq_rel, as Ring::advance_past().
    void remove(Offer offer) noexcept {
        std::uint64_t seen = word_.load(std::memory_order_relaxed);
        while ((seen & ~marked) == bits(offer) &&
               !word_.compare_exchange_weak(seen, seen & marked, std::memory_order_acq_rel)) {}
    }

    /// The ring's, whose entries lie where workers cannot write.
    [[nodiscard]] std::atomic<std::uint64_t>& head() noexcept { return head_; }

private:
    static constexpr std::uint64_t marked = std::uint64_t{1} << 31;

    [[nodiscard]] static constexpr std::uint64_t bits(Offer offer) noexcept {
        return (std::uint64_t{offer.generation} << 32 | static_cast<std::uint32_t>(offer.slot + 1)) & ~marked;
    }

    std::atomic<std::uint64_t> word_;
    std::atomic<std::uint64_t> head_;
};

static_assert(Ring::most_slots < std::uint32_t{1} << 31, "a slot's number and the mark share a word");
static_assert(std::is_trivially_destructible_v<Mailbox>, "no process runs destructors in shared memory");

}  // namespace procpool::detail::task

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Ring: the order in which pending tasks of one priority are offered to workers.

#include <procpool/core/platform.hpp>

#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>

namespace procpool::inline v0::detail::task {

/// A pending task as the ring names it: the slot may have another task by the time this is read, which its generation
/// shows.
struct Offer {
    std::uint32_t slot;
    std::uint32_t generation;
};

/// One producer at a time; any number of consumers read the entry at head, claim its slot by the slot's own word, and
/// only then help head forward: no process owns a position, so none can die with one. An entry is generation 32 bits,
/// lap 12, slot 20; the lap says that it was written for this time round. All-zero memory is a valid empty ring but for
/// what attach() sets. Only head is written by workers: ring and entries lie on pages that they cannot write. A head
/// that a task has overwritten says at worst that other entries come next: see mend() and Client::offer_forgotten().
class Ring {
public:
    static constexpr std::uint32_t most_slots = std::uint32_t{1} << 20;

    /// capacity: a power of two.
    void attach(std::atomic<std::uint64_t>* entries, std::atomic<std::uint64_t>& head,
                std::uint32_t capacity) noexcept {
        entries_ = entries;
        head_ = &head;
        capacity_ = capacity;
        lap_shift_ = static_cast<std::uint32_t>(std::countr_zero(capacity));
    }

    /// Requires: not is_full(). Called by: the producer, when it has published the slot's word.
    /// Memory order: seq_cst, because the producer looks at the sleepers next, and a worker looks here after it made
    /// itself a sleeper: in the one order of these four accesses, at least one of the two sees the other.
    [[gnu::always_inline]] void push(Offer offer) noexcept {
        const std::uint64_t position = tail_.load(std::memory_order_relaxed);
        entries_[position & (capacity_ - 1)].store(entry(position, offer), std::memory_order_seq_cst);
        tail_.store(position + 1, std::memory_order_relaxed);
    }

    /// Effects: as push(), for one of several producers that share no lock: puts the offer at `position` unless that
    /// place is taken. Returns: whether it did. Requires: position >= head(), and less than capacity() beyond it.
    /// Memory order: as push(), in one step: a producer that dies has offered the task, or left the place as it was.
    [[nodiscard]] bool try_push_at(std::uint64_t position, Offer offer) noexcept {
        std::atomic<std::uint64_t>& place = entries_[position & (capacity_ - 1)];
        std::uint64_t seen = place.load(std::memory_order_acquire);
        while (((seen >> slot_bits) & lap_mask) != lap(position)) {
            // A place of a later lap is behind the head by now, which its writer has seen: acquire.
            if (head() > position) { return false; }
            if (place.compare_exchange_weak(seen, entry(position, offer), std::memory_order_seq_cst,
                                            std::memory_order_acquire)) {
                return true;
            }
        }
        return false;
    }
    /// Effects: puts an offer in the place of a stale one at that position. Returns: whether it did: false when the
    /// place has another. A consumer may have read the stale one there, if head() is not before the position
    /// afterwards: then it may pass the new one over, which is to be offered once more. Memory order: as push().
    [[nodiscard]] bool try_replace_at(std::uint64_t position, Offer stale, Offer offer) noexcept {
        std::uint64_t seen = entry(position, stale);
        return entries_[position & (capacity_ - 1)].compare_exchange_strong(seen, entry(position, offer),
                                                                            std::memory_order_seq_cst);
    }
    [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }

    /// Whether the ring has no room. The head as it was seen last is enough for a no: it only grows, and its line
    /// belongs to the consumers. Called by: the producer.
    [[nodiscard, gnu::always_inline]] bool is_full() noexcept {
        const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        if (tail - known_head_ < capacity_) { return false; }
        known_head_ = head_->load(std::memory_order_acquire);
        if (tail - known_head_ > capacity_) [[unlikely]] { known_head_ = mend(); }
        return tail - known_head_ >= capacity_;
    }

    /// The first position whose entry has not been overwritten by a later one.
    [[nodiscard]] std::uint64_t oldest() const noexcept {
        const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        return tail > capacity_ ? tail - capacity_ : 0;
    }

    /// Effects: moves an impossible head, which a task has overwritten, to the oldest possible position; stale offers
    /// there are skipped. Returns: head. Called by: parent, supervisor.
    std::uint64_t mend() noexcept {
        std::uint64_t seen = head_->load(std::memory_order_acquire);
        const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        if (tail - seen <= capacity_ ||
            !head_->compare_exchange_strong(seen, oldest(), std::memory_order_acq_rel, std::memory_order_acquire)) {
            return seen;
        }
        return oldest();
    }
    [[nodiscard]] std::uint64_t tail() const noexcept { return tail_.load(std::memory_order_relaxed); }

    /// Memory order: acquire, so that the entry found at this head is not older than the head.
    [[nodiscard]] std::uint64_t head() const noexcept { return head_->load(std::memory_order_acquire); }

    /// Returns: the offer published at `position`; nothing when that is not published yet, or overwritten.
    /// Memory order: seq_cst for the sleeper that looks again (see push()); on its own it acquires the slot's word.
    [[nodiscard, gnu::always_inline]] std::optional<Offer> at(std::uint64_t position) const noexcept {
        const std::uint64_t found = entries_[position & (capacity_ - 1)].load(std::memory_order_seq_cst);
        if (((found >> slot_bits) & lap_mask) != lap(position)) { return std::nullopt; }
        return Offer{static_cast<std::uint32_t>(found) & (most_slots - 1), static_cast<std::uint32_t>(found >> 32)};
    }

    /// Whether there was no offer at head a moment ago.
    [[nodiscard]] bool was_empty() const noexcept { return !at(head()).has_value(); }

    /// Effects: moves head from `position` to the next one; none if head is elsewhere. Called by: a process that finds
    /// the offer at `position` stale.
    void advance_past(std::uint64_t position) noexcept {
        // acq_rel: a reader of the new head also sees the claim that justified it.
        head_->compare_exchange_strong(position, position + 1, std::memory_order_acq_rel, std::memory_order_relaxed);
    }

private:
    static constexpr int slot_bits = 20;
    static constexpr std::uint64_t lap_mask = 0xfff;

    /// Never 0 in the first lap, which zeroed memory would pass for.
    [[nodiscard]] std::uint64_t lap(std::uint64_t position) const noexcept {
        return ((position >> lap_shift_) + 1) & lap_mask;
    }
    [[nodiscard]] std::uint64_t entry(std::uint64_t position, Offer offer) const noexcept {
        return (std::uint64_t{offer.generation} << 32) | (lap(position) << slot_bits) | offer.slot;
    }

    std::atomic<std::uint64_t>* entries_;
    std::uint64_t capacity_;
    std::uint32_t lap_shift_;
    std::atomic<std::uint64_t>* head_;
    alignas(apart) std::atomic<std::uint64_t> tail_;  // of the producers; atomic only for observers
    std::uint64_t known_head_;                        // of the producers
};

}  // namespace procpool::detail::task

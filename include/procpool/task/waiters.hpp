// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Waiters: threads of the parent that wait for tasks of a board, and which tasks they must look at.

#include <procpool/core/fault_point.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/sync/parker.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// A waiter is identified by a number below `most`. A waiter of a single task is woken by its parker. A waiter of many
/// has them marked: the process that decides one of its tasks sets the slot's bit among the waiter's marks before it
/// wakes the waiter, which then looks at those slots only. A mark is a hint: it may be there for nothing, and a process
/// that is killed before it has set one never does; Control::deaths counts such deaths. All-zero memory is one without
/// parkers; written by attach() before any process is forked.
class Waiters {
public:
    static constexpr std::uint32_t most = 64;

    /// How many words attach() needs for each waiter.
    static constexpr std::size_t words_for(std::uint32_t slot_count) noexcept {
        return round_up(leaves_for(slot_count) + summaries_for(slot_count), apart / 8);
    }

    void attach(std::span<sync::Parker> parkers, std::atomic<sync::Parker*>* elsewhere,
                std::atomic<std::uint64_t>* marks, std::uint32_t slot_count) noexcept {
        parkers_ = parkers.data();
        count_ = static_cast<std::uint32_t>(parkers.size());
        elsewhere_ = elsewhere;
        marks_ = marks;
        slots_ = slot_count;
    }

    [[nodiscard]] std::span<sync::Parker> parkers() const noexcept { return {parkers_, count_}; }

    // ---- sets of waiters, one for each slot: 32 bits, each of which stands for a waiter of the lower half and one of
    // the upper

    [[nodiscard]] static constexpr std::uint32_t bit(std::uint32_t waiter) noexcept {
        return std::uint32_t{1} << (waiter % half);
    }

    /// Effects: adds this waiter, and perhaps another, to the set. Called by: parent, before it sets WAITED in the
    /// slot's word.
    void add(std::atomic<std::uint32_t>& set, std::uint32_t waiter) noexcept {
        use(waiter);
        set.fetch_or(bit(waiter), std::memory_order_relaxed);  // a reader of it has read WAITED, which releases it
    }
    /// Effects: makes the set hold this waiter only.
    void assign(std::atomic<std::uint32_t>& set, std::uint32_t waiter) noexcept {
        use(waiter);
        set.store(bit(waiter), std::memory_order_relaxed);
    }

    /// Effects: makes the waiters of a decided task look at its slot. Called by: any process, after the decision.
    void call(const std::atomic<std::uint32_t>& set, std::uint32_t slot) noexcept {
        const bool both = upper_half_used_.load(std::memory_order_relaxed) != 0;
        for (std::uint32_t members = set.load(std::memory_order_relaxed); members != 0; members &= members - 1) {
            const auto lower = static_cast<std::uint32_t>(__builtin_ctz(members));
            if (lower < count_) { call_one(lower, slot); }
            if (both && lower + half < count_) { call_one(lower + half, slot); }
        }
    }

    /// Effects: makes every waiter look at all its tasks. Called by: any process.
    void call_all() noexcept {
        for (std::uint32_t waiter = 0; waiter < count_; ++waiter) {
            sync::Parker* const other = elsewhere_[waiter].load(std::memory_order_acquire);
            sync::Parker& parker = other != nullptr ? *other : parkers_[waiter];
            parker.notify_again_if_interrupted();  // a process that died may have been about to wake it
            parker.notify();
        }
    }

    // ---- waiting for many. Called by: the thread of the parent that has the number now

    /// Effects: from the next task that the waiter is added to, its tasks are marked and `parker` is notified. Null
    /// restores the waiter's own parker, without marks. The parker must be shared memory of the program that is never
    /// given back: a notifier may be late.
    void redirect(std::uint32_t waiter, sync::Parker* parker) noexcept {
        elsewhere_[waiter].store(parker, std::memory_order_release);
    }

    /// Calls look(slot) for every mark, and clears it. Memory order: a decision made before the mark was set is
    /// visible. A summary bit is set after its mark and taken before it: a mark that is not seen here comes with a
    /// summary bit that is seen next time.
    template <class Look>
    void take_marks(std::uint32_t waiter, Look look) {
        std::atomic<std::uint64_t>* const leaves = marks_of(waiter);
        std::atomic<std::uint64_t>* const summaries = leaves + leaves_for(slots_);
        for (std::uint32_t i = 0; i < summaries_for(slots_); ++i) {
            if (summaries[i].load(std::memory_order_relaxed) == 0) { continue; }
            for (std::uint64_t summary = summaries[i].exchange(0, std::memory_order_acq_rel); summary != 0;
                 summary &= summary - 1) {
                const std::uint32_t leaf = i * 64 + static_cast<std::uint32_t>(__builtin_ctzll(summary));
                for (std::uint64_t marks = leaves[leaf].exchange(0, std::memory_order_acq_rel); marks != 0;
                     marks &= marks - 1) {
                    look(leaf * 64 + static_cast<std::uint32_t>(__builtin_ctzll(marks)));
                }
            }
        }
    }

    /// Whether take_marks() would find any. Memory order: none; it is asked again and again.
    [[nodiscard]] bool has_marks(std::uint32_t waiter) const noexcept {
        const std::atomic<std::uint64_t>* const summaries = marks_of(waiter) + leaves_for(slots_);
        for (std::uint32_t i = 0; i < summaries_for(slots_); ++i) {
            if (summaries[i].load(std::memory_order_relaxed) != 0) { return true; }
        }
        return false;
    }

private:
    static constexpr std::uint32_t half = 32;

    [[nodiscard]] static constexpr std::uint32_t leaves_for(std::uint32_t slot_count) noexcept {
        return (slot_count + 63) / 64;
    }
    [[nodiscard]] static constexpr std::uint32_t summaries_for(std::uint32_t slot_count) noexcept {
        return (leaves_for(slot_count) + 63) / 64;
    }

    [[nodiscard]] std::atomic<std::uint64_t>* marks_of(std::uint32_t waiter) const noexcept {
        return marks_ + waiter * words_for(slots_);
    }

    void use(std::uint32_t waiter) noexcept {
        if (waiter >= half) { upper_half_used_.store(1, std::memory_order_relaxed); }  // released as the set is
    }

    void call_one(std::uint32_t waiter, std::uint32_t slot) noexcept {
        // acquire: the parker there has been made. Set before the waiter was added to the set, so the process that
        // decides its task sees it.
        sync::Parker* const other = elsewhere_[waiter].load(std::memory_order_acquire);
        if (other == nullptr) {
            parkers_[waiter].notify();
            return;
        }
        std::atomic<std::uint64_t>* const leaves = marks_of(waiter);
        leaves[slot / 64].fetch_or(std::uint64_t{1} << (slot % 64), std::memory_order_acq_rel);
        reach(FaultPoint::marked);
        leaves[leaves_for(slots_) + slot / 4096].fetch_or(std::uint64_t{1} << (slot / 64 % 64),
                                                          std::memory_order_acq_rel);
        other->notify();
    }

    sync::Parker* parkers_;
    std::atomic<sync::Parker*>* elsewhere_;
    std::atomic<std::uint64_t>* marks_;
    std::uint32_t count_;
    std::uint32_t slots_;
    std::atomic<std::uint32_t> upper_half_used_;
};

static_assert(std::is_standard_layout_v<Waiters> && std::is_trivially_destructible_v<Waiters>,
              "processes share the bytes; none destroys them");
static_assert(std::atomic<sync::Parker*>::is_always_lock_free, "a lock would be private to one process");

}  // namespace procpool::detail::task

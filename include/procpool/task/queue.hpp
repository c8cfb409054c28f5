// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Queue: the rings of all priorities, and which of them are worth a look.

#include <procpool/core/fault_point.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/task/ready_set.hpp>
#include <procpool/task/ring.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::task {

/// The words of a queue that workers write. All-zero memory is that of an empty one.
struct QueueHeads {
    static constexpr std::uint32_t levels = 10;
    struct alignas(apart) Head {
        std::atomic<std::uint64_t> position;
    };
    std::array<Head, levels + 1> heads;  // the last one of the guests' ring
    alignas(apart) std::atomic<std::uint32_t> in_use;
};

/// Level 0 holds tasks that run again after their worker died, put there by the supervisor, level 1 those that a
/// companion gives back; the others hold priorities 3 to -4, put there by the parent. A task of priority 0 costs a
/// worker one load more than if there were no other. One more ring holds the tasks of guests, which any process puts
/// there; workers look there before the usual level. Tasks that have waited for others are in a set of their priority,
/// which any process puts them into, and come before those in its ring, so that results are used soon. All-zero memory
/// is a valid empty queue but for what attach() sets.
class Queue {
public:
    static constexpr std::uint32_t levels = QueueHeads::levels;
    static constexpr std::uint32_t guests = levels;     // not one of those
    static constexpr std::uint32_t ready = levels + 1;  // nor this one: the sets of all priorities
    static constexpr std::uint32_t requeued = 0;
    static constexpr std::uint32_t given_back = 1;
    static constexpr std::uint32_t usual = 5;
    static constexpr int lowest_priority = -4;
    static constexpr int highest_priority = 3;
    static constexpr std::uint32_t first_priority = 2;
    [[nodiscard]] static constexpr std::uint32_t level_of(int priority) noexcept {
        return static_cast<std::uint32_t>(highest_priority - priority) + first_priority;
    }

    /// entries(level): where those of a ring of that capacity are; on pages that workers cannot write, as the queue
    /// itself.
    template <class Entries>
    void attach(QueueHeads& heads, std::uint32_t capacity, Entries entries) {
        for (std::uint32_t level = 0; level < levels; ++level) {
            rings_[level].attach(entries(level), heads.heads[level].position, capacity);
        }
        in_use_ = &heads.in_use;
    }
    /// Effects: tasks may wait for others. words: ReadySet::words_for(count) for each priority. Called by: as attach().
    void attach_ready(std::atomic<std::uint64_t>* words, std::uint32_t count) noexcept {
        for (ReadySet& set : ready_) {
            set.attach(words, count);
            words += ReadySet::words_for(count);
        }
    }
    static constexpr std::uint32_t priorities = levels - first_priority;
    /// Effects: there are guests, whose entries all processes can write. Called by: as attach(), after it.
    void attach_guests(QueueHeads& heads, std::atomic<std::uint64_t>* entries, std::uint32_t capacity) noexcept {
        rings_[guests].attach(entries, heads.heads[guests].position, capacity);
        has_guests_ = true;
    }

    [[nodiscard]] Ring& ring(std::uint32_t level) noexcept { return rings_[level]; }
    /// Requires: the level is that of a priority.
    [[nodiscard]] ReadySet& ready_of(std::uint32_t level) noexcept { return ready_[level - first_priority]; }
    /// Effects: offers a pending task that has waited for others. Called by: any process. Memory order: as push().
    void add_ready(std::uint32_t level, std::uint32_t slot) noexcept {
        ready_of(level).add(slot);
        mark(ready);
    }

    /// Whether a task of that level which has waited for others comes before all that were offered a moment ago.
    [[nodiscard]] bool is_next(std::uint32_t level) const noexcept {
        const std::uint32_t in_use = was_in_use();
        if (level > usual || (in_use & (bit(level) - 1)) != 0) { return false; }
        return (in_use & bit(ready)) == 0 || std::all_of(ready_.begin(), ready_.begin() + level - first_priority,
                                                         [](const ReadySet& set) { return set.was_empty(); });
    }

    /// Called by: parent under its producers' mutex; supervisor for `requeued`; companion for `given_back`.
    /// Memory order: as Ring::push(): its last step is seq_cst.
    [[gnu::always_inline]] void push(std::uint32_t level, Offer offer) noexcept {
        rings_[level].push(offer);
        if (level != usual) { in_use_->fetch_or(bit(level), std::memory_order_seq_cst); }
    }

    /// Effects: makes workers look at that level. Memory order: seq_cst, as push(): a worker that takes the mark away
    /// after it was seen here looks at the ring once more.
    void mark(std::uint32_t level) noexcept {
        if ((in_use_->load(std::memory_order_seq_cst) & bit(level)) == 0) {
            in_use_->fetch_or(bit(level), std::memory_order_seq_cst);
        }
    }

    /// The levels but the usual one that may hold something. Memory order: relaxed: a worker sees a level that it
    /// missed before it goes to sleep.
    [[nodiscard]] std::uint32_t was_in_use() const noexcept { return in_use_->load(std::memory_order_relaxed); }
    [[nodiscard]] static constexpr std::uint32_t bit(std::uint32_t level) noexcept { return std::uint32_t{1} << level; }

    /// Effects: takes a level that was found empty out of the search, until a task is put there. Returns: false if one
    /// has been put there meanwhile. Then a worker may have looked while the level was not marked, and gone to sleep:
    /// the caller must wake one. Called by: worker.
    [[nodiscard]] bool mark_empty(std::uint32_t level) noexcept {
        reach(FaultPoint::level_empty);
        // seq_cst: cleared before this look at the ring; a producer writes the ring before it sets the bit, so a task
        // is never overlooked.
        in_use_->fetch_and(~bit(level), std::memory_order_seq_cst);
        reach(FaultPoint::level_cleared);
        if (level == ready ? was_ready_empty() : rings_[level].was_empty()) { return true; }
        in_use_->fetch_or(bit(level), std::memory_order_seq_cst);
        return false;
    }

    /// Marks every level that ever held a task, so that it is searched: a worker may have died in the middle of
    /// mark_empty(). Called by: supervisor.
    void mark_all_levels() noexcept {
        std::uint32_t used = has_guests_ ? bit(guests) : 0;  // the others' memory is not touched
        if (!was_ready_empty()) { used |= bit(ready); }
        for (std::uint32_t level = 0; level < levels; ++level) {
            if (level != usual && rings_[level].tail() != 0) { used |= bit(level); }
        }
        in_use_->fetch_or(used, std::memory_order_seq_cst);
    }

    /// Whether there was none in all sets, a moment ago.
    [[nodiscard]] bool was_ready_empty() const noexcept {
        for (const ReadySet& set : ready_) {
            if (!set.was_empty()) { return false; }
        }
        return true;
    }

    [[nodiscard]] bool was_empty() const noexcept {
        if (!rings_[usual].was_empty()) { return false; }
        const std::uint32_t in_use = in_use_->load(std::memory_order_seq_cst);
        for (std::uint32_t level = 0; in_use != 0 && level < rings_.size(); ++level) {
            if ((in_use & bit(level)) != 0 && !rings_[level].was_empty()) { return false; }
        }
        return (in_use & bit(ready)) == 0 || was_ready_empty();
    }

private:
    std::array<Ring, levels + 1> rings_;
    std::array<ReadySet, priorities> ready_;
    std::atomic<std::uint32_t>* in_use_;
    bool has_guests_;
};

}  // namespace procpool::detail::task

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ReadySet: the tasks of one priority whose dependencies are all decided.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0::detail::task {

/// A set of slots that any process adds to and takes from, in single steps. A bit for each slot, and a bit for each
/// word of those that may hold one. All-zero memory is the empty set. A process that dies between two steps leaves a
/// slot out: the supervisor adds it again; and a task may have written anything there: a slot that is taken is looked
/// at first.
class ReadySet {
public:
    static constexpr std::uint32_t nothing = 0xffffffff;
    [[nodiscard]] static constexpr std::size_t words_for(std::uint32_t count) noexcept {
        return groups_for(count) + groups_for(groups_for(count));
    }

    void attach(std::atomic<std::uint64_t>* words, std::uint32_t count) noexcept {
        members_ = words;
        groups_ = words + groups_for(count);
        member_words_ = groups_for(count);
        group_words_ = groups_for(member_words_);
    }

    /// Memory order: seq_cst, as Ring::push(): a producer looks at the sleepers next.
    void add(std::uint32_t slot) noexcept {
        members_[slot / 64].fetch_or(bit(slot), std::memory_order_seq_cst);
        groups_[slot / 64 / 64].fetch_or(bit(slot / 64), std::memory_order_seq_cst);
    }

    /// Effects: takes a slot out. Returns: the slot, or `nothing`. Memory order: a sleeper looks here after it has
    /// registered, so was_empty() is seq_cst; who takes a slot looks at its word.
    [[nodiscard]] std::uint32_t take() noexcept {
        for (std::uint32_t i = 0; i < group_words_; ++i) {
            for (std::uint64_t groups = groups_[i].load(std::memory_order_seq_cst); groups != 0; groups &= groups - 1) {
                const std::uint32_t group = i * 64 + lowest(groups);
                if (group >= member_words_) {  // a task has written there
                    groups_[i].fetch_and(~bit(group), std::memory_order_seq_cst);
                    continue;
                }
                std::atomic<std::uint64_t>& members = members_[group];
                for (std::uint64_t seen = members.load(std::memory_order_seq_cst); seen != 0; seen &= seen - 1) {
                    const std::uint32_t slot = group * 64 + lowest(seen);
                    const std::uint64_t before = members.fetch_and(~bit(slot), std::memory_order_seq_cst);
                    if ((before & bit(slot)) == 0) { continue; }
                    if (before == bit(slot)) { clear_group(group); }
                    return slot;
                }
                clear_group(group);
            }
        }
        return nothing;
    }

    /// Whether there was none a moment ago. A yes may be wrong for as long as a process needs from a member to its
    /// group, which then wakes a worker.
    [[nodiscard]] bool was_empty() const noexcept {
        for (std::uint32_t i = 0; i < group_words_; ++i) {
            if (groups_[i].load(std::memory_order_seq_cst) != 0) { return false; }
        }
        return true;
    }

private:
    [[nodiscard]] static constexpr std::uint32_t groups_for(std::uint32_t count) noexcept { return (count + 63) / 64; }
    [[nodiscard]] static constexpr std::uint64_t bit(std::uint32_t number) noexcept {
        return std::uint64_t{1} << (number % 64);
    }
    /// Effects: a group without members is not looked at any more.
    void clear_group(std::uint32_t group) noexcept {
        // seq_cst: cleared before the look at the members; who adds one sets its group's bit afterwards.
        groups_[group / 64].fetch_and(~bit(group), std::memory_order_seq_cst);
        if (members_[group].load(std::memory_order_seq_cst) != 0) {
            groups_[group / 64].fetch_or(bit(group), std::memory_order_seq_cst);
        }
    }
    [[nodiscard]] static std::uint32_t lowest(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(__builtin_ctzll(word));
    }

    std::atomic<std::uint64_t>* members_;
    std::atomic<std::uint64_t>* groups_;
    std::uint32_t member_words_;
    std::uint32_t group_words_;
};

}  // namespace procpool::detail::task

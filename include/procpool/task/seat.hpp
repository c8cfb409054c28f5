// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Seat: one life of one worker. SeatSet: which seats sleep, which spin.

#include <procpool/core/ending.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/sync/parker.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0::detail::task {

enum class SeatState : std::uint32_t { vacant, starting, failed, ready, leaving };

/// Whether a worker leaves when it has finished what it runs.
enum class Dismissal : std::uint32_t {
    none,
    replaced,  // another one of its index takes its place
    surplus    // none does, unless there is a task for that index
};

/// A worker's account of itself. Written by the supervisor while it is vacant, by its worker afterwards.
struct alignas(apart) Seat {
    sync::Parker parker;
    std::atomic<SeatState> state;
    std::atomic<std::uint32_t> index;  // of the worker
    std::atomic<std::int32_t> pid;
    std::atomic<Dismissal> dismissal;    // written by the process that gives orders: see Orders::set_personal()
    std::atomic<std::uint32_t> current;  // slot + 1 of the task that runs, 0 when idle; a hint for observers
    static constexpr std::uint32_t counted = 0xffffffff;  // current, while a task that is counted below is not done yet
    static constexpr std::uint32_t condemned =
        0xfffffffe;  // current, when it is counted, will never be done, and its worker waits to be killed
    std::atomic<std::uint32_t> inner;      // slot + 1 of the task that runs within others that wait; 0: none does
    std::atomic<std::uint32_t> helps_at;   // the place among sync::Members whose parker it sleeps on among the helpers;
                                           // 0: its own parker here
    std::atomic<std::int64_t> started_at;  // steady clock, nanoseconds: when the process was forked

    std::atomic<std::int64_t>
        task_started;  // of the timed task that runs, or of the item of it; may lag behind the word
    std::atomic<std::uint32_t> items_done;  // since the worker was made; max_tasks_per_worker limits it
    std::atomic<std::uint64_t>
        progress;  // generation of the task that runs, 32 bits; items of it that are finished; for observers
    /// Generation of the timed task whose stamp that is, 32 bits; which item of it runs, times two; odd: the supervisor
    /// has condemned that item, and the worker must not go on.
    std::atomic<std::uint64_t> item;
    /// As `item` and `task_started`, of a timed task that waits while others run within it, the outermost one; item 0:
    /// none does.
    std::atomic<std::uint64_t> outer_item;
    std::atomic<std::int64_t> outer_started;
    std::atomic<std::uint32_t> goes_on;  // it takes tasks in a pause too: see Orders::set_paused(); of the supervisor
    sync::Parker stopper;                // of the thread that asks tasks to stop

    alignas(cache_line) std::atomic<std::uint64_t> completed;  // tasks that returned, in all lives on this seat
    std::atomic<std::uint64_t> failed;                         // tasks that threw, likewise
    std::atomic<std::uint64_t> before;                         // the sum of both when this life began

    core::Crash crash;  // written by the worker's signal handler, which nothing follows
};

static_assert(std::is_standard_layout_v<Seat> && std::is_trivially_destructible_v<Seat>,
              "processes share the bytes; none destroys them");

/// A set of seats that any process adds to, removes from and takes one out of, in single steps. All-zero memory is the
/// empty set. A task may have put seats in that there are not: see Board::seat_of().
class SeatSet {
public:
    static constexpr std::uint32_t words_for(std::uint32_t seats) noexcept { return (seats + 63) / 64; }

    void attach(std::atomic<std::uint64_t>* words, std::uint32_t seats) noexcept {
        words_ = words;
        count_ = words_for(seats);
    }

    // seq_cst throughout: a sleeper adds itself and then looks for work, a submitter publishes work and then looks
    // here. Without one order of all four, each could miss the other; x86 reorders a store with a later load too.

    void add(std::uint32_t seat) noexcept { words_[seat / 64].fetch_or(bit(seat), std::memory_order_seq_cst); }

    /// Returns: whether it was in the set, that is, it had not been taken out before.
    bool remove(std::uint32_t seat) noexcept {
        return (words_[seat / 64].fetch_and(~bit(seat), std::memory_order_seq_cst) & bit(seat)) != 0;
    }

    [[nodiscard]] bool contains(std::uint32_t seat) const noexcept {
        return (words_[seat / 64].load(std::memory_order_seq_cst) & bit(seat)) != 0;
    }

    /// Effects: empties the set.
    void clear() noexcept {
        for (std::uint32_t i = 0; i < count_; ++i) { words_[i].store(0, std::memory_order_seq_cst); }
    }

    [[nodiscard]] bool was_empty() const noexcept {
        for (std::uint32_t i = 0; i < count_; ++i) {
            if (words_[i].load(std::memory_order_seq_cst) != 0) { return false; }
        }
        return true;
    }

    [[nodiscard]] std::uint32_t was_size() const noexcept {
        int members = 0;
        for (std::uint32_t i = 0; i < count_; ++i) {
            members += __builtin_popcountll(words_[i].load(std::memory_order_relaxed));
        }
        return static_cast<std::uint32_t>(members);
    }

    static constexpr std::uint32_t nobody = 0xffffffff;

    /// Returns: a seat for which is_meant(seat) and that is in the set, and stays there, or `nobody`.
    template <class IsMeant>
    [[nodiscard]] std::uint32_t find(IsMeant is_meant) const noexcept {
        for (std::uint32_t i = 0; i < count_; ++i) {
            for (std::uint64_t members = words_[i].load(std::memory_order_seq_cst); members != 0;
                 members &= members - 1) {
                const std::uint32_t seat = i * 64 + static_cast<std::uint32_t>(__builtin_ctzll(members));
                if (is_meant(seat)) { return seat; }
            }
        }
        return nobody;
    }

    /// Effects: takes one seat out. Returns: the seat, or `nobody`.
    [[nodiscard]] std::uint32_t take_one() noexcept {
        for (std::uint32_t i = 0; i < count_; ++i) {
            std::uint64_t members = words_[i].load(std::memory_order_seq_cst);
            while (members != 0) {
                const auto lowest = static_cast<std::uint32_t>(__builtin_ctzll(members));
                if (remove(i * 64 + lowest)) { return i * 64 + lowest; }
                members = words_[i].load(std::memory_order_seq_cst);
            }
        }
        return nobody;
    }

private:
    [[nodiscard]] static constexpr std::uint64_t bit(std::uint32_t seat) noexcept {
        return std::uint64_t{1} << (seat % 64);
    }

    std::atomic<std::uint64_t>* words_;
    std::uint32_t count_;
};

}  // namespace procpool::detail::task

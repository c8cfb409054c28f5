// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// BoardHead: what a process that has not inherited a board must know to read it, and what is counted for it alone.

#include <procpool/core/ending.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/core/version.hpp>
#include <procpool/task/control.hpp>
#include <procpool/task/guests.hpp>
#include <procpool/task/issue.hpp>
#include <procpool/task/latencies.hpp>
#include <procpool/task/seat.hpp>
#include <procpool/task/slot.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// The first bytes of a board, in a process that has the same layout of it. Parts are named by their distance from the
/// start of the board, so they can be read from a file of the region as well as from memory. Lies on pages that workers
/// cannot write. The first three members have their places in every version of the library.
struct BoardHead {
    static constexpr std::uint64_t right_magic = 0x64616f4270706cdb;  // no text, so no file has it by chance
    std::atomic<std::uint64_t> magic;  // right_magic, once all that is written once has been written
    std::uint64_t layout;              // layout_of_board()
    std::uint64_t size;                // of the region, in bytes

    struct Part {
        std::uint64_t offset;
        std::uint64_t count;
    };
    Part control;
    Part from_workers;
    Part seats;
    Part sitters;
    Part latencies;
    Part all_slots;  // the parent's, then those of guests
    Part issues;
    Part labels;
    Part guests;
    Part notes;
    std::uint64_t note_size;  // of each note, which begins with the number of the slot's task
    std::uint32_t parents_slots;
    std::uint32_t workers_seats;
    std::int64_t built_at;     // steady clock, nanoseconds
    std::uint64_t built_tick;  // the same moment, in ticks

    // Counted by parent, supervisor and companion, in single steps; on lines that no task touches.
    static constexpr std::size_t endings = static_cast<std::size_t>(Ending::node_lost) + 1;
    alignas(apart) std::array<std::atomic<std::uint64_t>, endings> lost;  // tasks that became lost, by their ending
    std::atomic<std::uint64_t> cancelled;  // tasks that the parent has cancelled or killed
    static constexpr std::size_t signal_numbers = 65;
    std::array<std::atomic<std::uint64_t>, signal_numbers> deaths;  // unasked, of workers, by signal; 0: they exited

    void count_loss(Ending ending) noexcept {
        lost[std::min(static_cast<std::size_t>(ending), endings - 1)].fetch_add(1, std::memory_order_relaxed);
    }
    /// signal: 0: none.
    void count_death(int signal) noexcept {
        const auto place = static_cast<std::size_t>(signal);
        deaths[place < signal_numbers ? place : 0].fetch_add(1, std::memory_order_relaxed);
    }
};

static_assert(std::is_standard_layout_v<BoardHead> && std::is_trivially_destructible_v<BoardHead>,
              "processes share the bytes; none destroys them");
static_assert(offsetof(BoardHead, magic) == 0 && offsetof(BoardHead, layout) == 8 && offsetof(BoardHead, size) == 16,
              "other versions look here");

/// Returns: a number that differs, as good as certainly, where the shared memory of a pool does: in another version of
/// the library, or one that another compiler has laid out in another way.
[[nodiscard]] constexpr std::uint64_t layout_of_board() noexcept {
    // FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/
    std::uint64_t hash = 0xcbf29ce484222325;
    const std::uint64_t parts[] = {PROCPOOL_VERSION_MAJOR,
                                   PROCPOOL_VERSION_MINOR,
                                   PROCPOOL_VERSION_PATCH,
                                   sizeof(BoardHead),
                                   offsetof(BoardHead, built_at),
                                   offsetof(BoardHead, lost),
                                   offsetof(BoardHead, deaths),
                                   sizeof(Control),
                                   offsetof(Control, slots_used),
                                   offsetof(Control, places),
                                   offsetof(Control, workers),
                                   offsetof(Control, orders),
                                   offsetof(Control, measures),
                                   offsetof(Control, name),
                                   offsetof(Control, supervisor_pid),
                                   offsetof(Control, casualties),
                                   offsetof(Control, withdrawn),
                                   sizeof(FromWorkers),
                                   offsetof(FromWorkers, guests),
                                   offsetof(FromWorkers, cancelled_with_others),
                                   offsetof(FromWorkers, reason_text),
                                   offsetof(GuestWords, used),
                                   sizeof(Seat),
                                   offsetof(Seat, state),
                                   offsetof(Seat, index),
                                   offsetof(Seat, pid),
                                   offsetof(Seat, current),
                                   offsetof(Seat, started_at),
                                   offsetof(Seat, task_started),
                                   offsetof(Seat, progress),
                                   offsetof(Seat, item),
                                   offsetof(Seat, completed),
                                   offsetof(Seat, before),
                                   sizeof(Latencies),
                                   sizeof(Slot),
                                   offsetof(Slot, traits),
                                   offsetof(Slot, attempt),
                                   sizeof(Issue),
                                   offsetof(Issue, place),
                                   offsetof(Issue, timeout),
                                   sizeof(TaskLabel),
                                   offsetof(TaskLabel, started),
                                   offsetof(TaskLabel, text),
                                   sizeof(Guest),
                                   offsetof(Guest, number),
                                   offsetof(Guest, issue)};
    for (const std::uint64_t part : parts) {
        for (int shift = 0; shift < 64; shift += 8) { hash = (hash ^ ((part >> shift) & 0xff)) * 0x100000001b3; }
    }
    return hash;
}

}  // namespace procpool::detail::task

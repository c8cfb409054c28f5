// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Slot: the shared memory of one task, and the word that names its owner.

#include <procpool/core/ending.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/core/platform.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// Where a task is in its life. The phase names the owner, which alone may write the slot:
///   free      the parent; the rest of the slot means nothing
///   blocked   no process; it waits for other tasks: see Links. The process that finds the last of them decided makes
///   it
///             pending, and the parent may make it cancelled
///   pending   no process; the first worker that makes it started owns it, and the parent may make it cancelled
///   started   the worker whose seat the word names; after that process is confirmed dead, the supervisor. A
///             companion is both for its seats: it alone settles what their machines have lost, as long as it lives
///   done, lost, cancelled   no process; the first thread of the parent that makes it taken owns it
///   taken     that thread, until it makes it free
enum class Phase : std::uint32_t { free, blocked, pending, started, done, lost, cancelled, taken };

/// One value of a slot's word: generation 32 bits, seat 12, flags 16, phase 4. Every publication has a generation
/// of its own, so what was meant for one task in a slot never reaches another. Generations begin anew after 2^32 tasks:
/// a record that lives longer than one step names a task by its number, see Board::number_of().
class Word {
public:
    constexpr Word() noexcept = default;
    explicit constexpr Word(std::uint64_t bits) noexcept : bits_(bits) {}
    [[nodiscard]] static constexpr Word pending(std::uint32_t generation, bool waited) noexcept {
        return Word{std::uint64_t{generation} << 32}.with(Phase::pending).with_waited(waited);
    }
    [[nodiscard]] static constexpr Word blocked(std::uint32_t generation, bool waited) noexcept {
        return pending(generation, waited).with(Phase::blocked);
    }

    [[nodiscard]] constexpr std::uint64_t bits() const noexcept { return bits_; }
    [[nodiscard]] constexpr std::uint32_t generation() const noexcept {
        return static_cast<std::uint32_t>(bits_ >> 32);
    }
    [[nodiscard]] constexpr std::uint32_t seat() const noexcept {
        return static_cast<std::uint32_t>(bits_ >> seat_shift) & most_seats;
    }
    [[nodiscard]] constexpr Phase phase() const noexcept { return static_cast<Phase>(bits_ & phase_mask); }
    [[nodiscard]] constexpr bool waited() const noexcept { return (bits_ & waited_bit) != 0; }
    /// Other tasks depend on this one.
    [[nodiscard]] constexpr bool is_depended() const noexcept { return (bits_ & depended_bit) != 0; }
    /// Threads or tasks want to know when it is decided.
    [[nodiscard]] constexpr bool is_awaited() const noexcept { return (bits_ & (waited_bit | depended_bit)) != 0; }
    [[nodiscard]] constexpr bool has_not_started() const noexcept {
        return phase() == Phase::pending || phase() == Phase::blocked;
    }
    [[nodiscard]] constexpr bool is_undecided() const noexcept {
        return phase() >= Phase::blocked && phase() <= Phase::started;
    }
    /// Condemned: the worker must not publish a result, and will be killed.
    [[nodiscard]] constexpr bool is_condemned() const noexcept { return (bits_ & verdict_mask) != 0; }
    /// The guest that waits for the task sleeps on the word, or its worker has parked.
    [[nodiscard]] constexpr bool is_slept_on() const noexcept { return (bits_ & asleep_bit) != 0; }
    [[nodiscard]] constexpr bool is_parked_for() const noexcept { return (bits_ & parked_bit) != 0; }
    /// The result is sealed: only the worker changes the word from now on, and after its death the supervisor.
    [[nodiscard]] constexpr bool is_finishing() const noexcept { return (bits_ & finishing_bit) != 0; }
    /// Whether the worker that runs the task makes it done, with nothing else to do.
    [[nodiscard]] constexpr bool may_be_done() const noexcept {
        constexpr std::uint64_t asked = phase_mask | verdict_mask | asleep_bit | parked_bit;
        return (bits_ & asked) == static_cast<std::uint64_t>(Phase::started);
    }
    /// How the task ends once its worker is dead. Requires: is_condemned().
    [[nodiscard]] constexpr Ending verdict() const noexcept {
        switch ((bits_ & verdict_mask) >> verdict_shift) {
            case timed_out: return Ending::timed_out;
            case cancelled: return Ending::cancelled;
            case over_memory: return Ending::memory_exceeded;
            default: return Ending::died;  // a task has written there
        }
    }
    /// Decided: no process will change it again, but for the parent.
    [[nodiscard]] constexpr bool finished() const noexcept {
        return phase() == Phase::done || phase() == Phase::lost || phase() == Phase::cancelled;
    }

    [[nodiscard]] constexpr Word with(Phase phase) const noexcept {
        return Word{(bits_ & ~phase_mask) | static_cast<std::uint64_t>(phase)};
    }
    [[nodiscard]] constexpr Word with_waited(bool waited) const noexcept {
        return Word{waited ? bits_ | waited_bit : bits_ & ~waited_bit};
    }
    /// verdict: timed_out, memory_exceeded or cancelled.
    [[nodiscard]] constexpr Word condemned(Ending verdict) const noexcept {
        const std::uint64_t bits = verdict == Ending::timed_out         ? timed_out
                                   : verdict == Ending::memory_exceeded ? over_memory
                                                                        : cancelled;
        return Word{without_verdict().bits_ | bits << verdict_shift};
    }
    [[nodiscard]] constexpr Word without_verdict() const noexcept { return Word{bits_ & ~verdict_mask}; }
    [[nodiscard]] constexpr Word with_generation(std::uint32_t generation) const noexcept {
        return Word{(bits_ & 0xffffffff) | (std::uint64_t{generation} << 32)};
    }
    [[nodiscard]] constexpr Word with_seat(std::uint32_t seat) const noexcept {
        constexpr std::uint64_t seat_mask = std::uint64_t{most_seats} << seat_shift;
        return Word{(bits_ & ~seat_mask) | (std::uint64_t{seat} << seat_shift)};
    }
    [[nodiscard]] constexpr Word started_by(std::uint32_t seat) const noexcept {
        return with_seat(seat).with(Phase::started);
    }

    [[nodiscard]] constexpr Word with_flag(std::uint64_t flag) const noexcept { return Word{bits_ | flag}; }
    [[nodiscard]] constexpr Word without_flags(std::uint64_t flags) const noexcept { return Word{bits_ & ~flags}; }

    static constexpr std::uint32_t most_seats = 0xfff;
    static constexpr std::uint64_t waited_bit = 1 << 4;
    static constexpr std::uint64_t asleep_bit = 1 << 5;  // these three are for guests, see Guests
    static constexpr std::uint64_t parked_bit = 1 << 6;
    static constexpr std::uint64_t finishing_bit = 1 << 7;
    static constexpr std::uint64_t depended_bit = 1 << 10;
    static constexpr std::uint32_t no_seat = most_seats;  // of a word that the parent or the supervisor has decided

private:
    static constexpr std::uint64_t phase_mask = 0xf;
    static constexpr int verdict_shift = 8;
    static constexpr std::uint64_t verdict_mask = std::uint64_t{3} << verdict_shift;
    static constexpr std::uint64_t timed_out = 1;  // verdicts; 0: none
    static constexpr std::uint64_t cancelled = 2;
    static constexpr std::uint64_t over_memory = 3;
    static constexpr int seat_shift = 20;

    std::uint64_t bits_ = 0;
};

/// A payload too large for its window: its exact size, and its run of extents (first 32 bits, count 32), which changes
/// in one step so that a dead worker's slot never names memory it has given back.
struct Large {
    std::uint64_t size;
    std::atomic<std::uint64_t> run;
};

/// Two lines: a small task and its result need the first one only. Workers can write all of it, so a task may have
/// written anything there: other processes rely on the task's Issue, and check what is here.
struct alignas(apart) Slot {
    static constexpr std::uint32_t large = 0xffffffff;
    static constexpr std::uint32_t in_window = std::uint32_t{1} << 30;
    static constexpr std::size_t inline_bytes = 16;
    static constexpr std::uint8_t limited = 1;   // timeout, retries and attempt count
    static constexpr std::uint8_t labelled = 2;  // the parent keeps a label, and its TaskLabel has the beginning of it,
                                                 // and when the task was started
    static constexpr std::uint8_t traced = 4;    // its TaskLabel has the times; the worker adds it to the trace
    static constexpr std::uint8_t mailed = 8;    // for one worker only
    static constexpr std::uint8_t staying = 16;  // it keeps its slot until its result is taken
    static constexpr std::uint8_t measured = 32;  // `submitted` and `stands_for` count; the worker adds its times
    static constexpr std::uint8_t listing = 64;   // behind its arguments lies what they refer to: see list_references()

    std::atomic<std::uint64_t> word;
    std::uintptr_t code;                 // the address of a task_code function; written by the parent while free
    std::uint32_t argument_bytes;        // in_window: added where they lie there; `large`: see large_argument
    std::uint32_t result_bytes;          // written by the owner while started
    std::atomic<std::uint32_t> waiters;  // a set: see Waiters; written by the parent before it sets WAITED
    Ending outcome;                      // value or exception, when it is done; of the owner while started
    std::atomic<Ending> loss;            // why it is lost; written before the word says so
    std::atomic<std::uint8_t> traits;    // which of the following apply; written by the parent while free
    bool has_extents;  // the result may have taken extents; of the owner while started, then of the thread that clears
                       // the slot
    std::array<std::byte, inline_bytes> argument;
    std::array<std::byte, inline_bytes> result;

    // relaxed: a look at deadlines may see those of the slot's next task, and finds by the word that they are
    // not what it looks for.
    [[nodiscard]] bool has(std::uint8_t trait) const noexcept {
        return (traits.load(std::memory_order_relaxed) & trait) != 0;
    }
    [[nodiscard]] bool has_limits() const noexcept { return has(limited); }
    [[nodiscard]] bool is_labelled() const noexcept { return has(labelled); }
    [[nodiscard]] bool is_traced() const noexcept { return has(traced); }
    [[nodiscard]] bool is_measured() const noexcept { return has(measured); }
    [[nodiscard]] bool is_observed() const noexcept { return has(traced | measured); }
    /// Whether its worker writes down when it begins the task.
    [[nodiscard]] bool is_clocked() const noexcept { return has(traced | measured | labelled); }
    [[nodiscard]] bool is_mailed() const noexcept { return has(mailed); }
    [[nodiscard]] bool stays() const noexcept { return has(staying); }

    /// Returns: how a task ended whose word had that phase: done, lost or cancelled. For a task that is done, all but
    /// `exception` counts as a value: a task may have written anything there.
    [[nodiscard]] Ending ending(Phase phase) const noexcept {
        if (phase == Phase::done) [[likely]] { return outcome; }
        if (phase == Phase::cancelled) { return Ending::cancelled; }
        return std::clamp(loss.load(std::memory_order_relaxed), Ending::died, Ending::node_lost);
    }

    alignas(cache_line) Large large_argument;
    Large large_result;
    std::atomic<std::uint64_t> stop_request;  // the number of the task that is asked to stop, see Board::number_of();
                                              // written by the parent at any time
    std::int32_t pid;                         // of the worker that died; of the supervisor after that, as those below
    std::uint16_t attempt;                    // from 0
    std::uint16_t stands_for;                 // so many tasks: see client::Observer; of the parent while free
    std::uint64_t submitted;                  // when, in ticks; likewise
    ExitStatus exit_status;
};

/// A task's label and the times that the trace wants; valid only if the slot's traits say so.
struct alignas(cache_line) TaskLabel {
    std::int64_t queued;                // steady clock, nanoseconds; of the parent while free
    std::atomic<std::int64_t> started;  // likewise; 0: no worker is running it, or the trace has that run; of a task
                                        // that is not traced, the last time it began
    std::array<char, 48> text;          // cut to fit; of the parent while free

    void set(std::string_view label) noexcept {
        const std::size_t size = std::min(label.size(), text.size() - 1);
        std::memcpy(text.data(), label.data(), size);
        text[size] = '\0';
        started.store(0, std::memory_order_relaxed);
    }
};
static_assert(sizeof(TaskLabel) == cache_line && std::is_trivially_destructible_v<TaskLabel>,
              "one line each, and no process destroys them");

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "a lock would be private to one process");
static_assert(std::is_standard_layout_v<Slot> && std::is_trivially_destructible_v<Slot>,
              "processes share the bytes; none destroys them");
static_assert(offsetof(Slot, result) + Slot::inline_bytes == cache_line, "a small task lives in one line");
static_assert(sizeof(Slot) == apart, "slots of different owners do not share lines");

}  // namespace procpool::detail::task

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Links: which tasks depend on which. Edge: that one task depends on another.

#include <procpool/core/platform.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// One task depends on another one. Written by the parent, under its producers' mutex, on pages that workers cannot
/// write; freed when its dependant is settled: decided, with no bit left. Lists name edges by their place + 1; 0 ends
/// one. Tasks are named by their slots and the low halves of their numbers, which stay the same when a task gets
/// another generation.
struct alignas(32) Edge {
    std::atomic<std::uint32_t> dependency;         // its slot
    std::atomic<std::uint32_t> dependency_number;  // low half
    std::atomic<std::uint32_t> dependant;          // its slot
    std::atomic<std::uint32_t> dependant_number;   // low half
    std::atomic<std::uint32_t> bit;                // its place among what the dependant misses
    std::atomic<std::uint32_t> next;               // in the list of the dependency
    std::atomic<std::uint32_t> sibling;            // the next one of the dependant; of a free edge the next free one
    std::atomic<std::uint32_t> offset;             // where the dependant's arguments name the dependency

    /// Memory order: acquire. As set(): what is read of the dependant after this is as new as the edge is.
    [[nodiscard]] static std::uint32_t get(const std::atomic<std::uint32_t>& member) noexcept {
        return member.load(std::memory_order_acquire);
    }
    static void set(std::atomic<std::uint32_t>& member, std::uint32_t value) noexcept {
        member.store(value, std::memory_order_release);
    }

    /// An edge's account of its two tasks.
    struct Values {
        std::uint32_t dependant_number;
        std::uint32_t dependant;
        std::uint32_t bit;
        std::uint32_t dependency;
        std::uint32_t dependency_number;
    };
    /// A process that was stopped, or is late, may find the edge of another task here, or be told some of each, once
    /// other processes have cleared the bit that it is at. The number comes first, and is written last. So it is that
    /// of a task whose edge this was, and then the rest is this task's, or newer: then none of its bits is set.
    [[nodiscard]] Values values() const noexcept {
        // Braces: from left to right.
        return {get(dependant_number), get(dependant), get(bit), get(dependency), get(dependency_number)};
    }
};

/// The relations of a slot's task to others. All-zero memory is the valid initial state; ordinary tasks leave it as it
/// is. Any process of the pool writes it.
struct alignas(cache_line) Links {
    /// The edges from this task: low half of its number 32 bits, the first edge of the list or `closed` 32. Another
    /// number: an empty list. Edges are added by the parent; the process that closes the list walks it.
    std::atomic<std::uint64_t> dependants;
    /// The dependencies that this task waits for: low half of its number 32 bits, a bit for each of the first
    /// dependencies; see Board::missing_word() for the others. Bit 0: it is being submitted. Bit 31 is no such bit: a
    /// dependency was cancelled. Setting and clearing bits twice does no harm, so it does not matter how far a dead
    /// process has got.
    std::atomic<std::uint64_t> missing;
    /// A task that is cancelled with this one, and whose dependants are still to be told: low half of its number 32
    /// bits, its slot + 1 32; 0: none. Of the process that cancelled this one.
    std::atomic<std::uint64_t> next_cancelled;

    static constexpr std::uint32_t closed = 0xffffffff;
    static constexpr std::uint32_t being_submitted = 0;
    static constexpr std::uint32_t bits = 31;  // in each word
    static constexpr std::uint32_t was_cancelled = std::uint32_t{1} << 31;
    [[nodiscard]] static constexpr std::uint64_t word(std::uint32_t number, std::uint32_t rest) noexcept {
        return std::uint64_t{number} << 32 | rest;
    }
    [[nodiscard]] static constexpr std::uint32_t number_of(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(word >> 32);
    }
    [[nodiscard]] static constexpr std::uint32_t rest_of(std::uint64_t word) noexcept {
        return static_cast<std::uint32_t>(word);
    }
    [[nodiscard]] static constexpr bool misses_any(std::uint64_t word) noexcept {
        return (rest_of(word) & ~was_cancelled) != 0;
    }
    /// Words for so many dependencies.
    [[nodiscard]] static constexpr std::uint32_t words_for(std::uint32_t dependencies) noexcept {
        return dependencies / bits + 1;
    }
};

static_assert(std::is_standard_layout_v<Links> && std::is_trivially_destructible_v<Links> &&
                  std::is_standard_layout_v<Edge> && std::is_trivially_destructible_v<Edge>,
              "processes share the bytes; none destroys them");

}  // namespace procpool::detail::task

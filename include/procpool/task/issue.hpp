// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Issue: the facts about a slot's task that no worker can overwrite.

#include <procpool/task/slot.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// The parent's record of a slot's task, made when it published it, to check the slot's contents against. Written by
/// the parent, under its producers' mutex, read by the supervisor; on pages that workers cannot write. All-zero memory
/// is the valid initial state.
struct Issue {
    std::atomic<std::uint32_t> generation;  // of the slot's word until the task is taken
    std::atomic<std::uint32_t> place;  // where it was offered: a level of the queue, with `linked` where it has waited
                                       // for other tasks; or `mailed` and the index of a worker
    std::atomic<std::uint32_t> overwritten;  // the generation, when the parent has found that the word cannot be right;
                                             // settled by the supervisor
    static constexpr std::uint32_t mailed = std::uint32_t{1} << 31;
    static constexpr std::uint32_t linked = std::uint32_t{1} << 30;
    std::atomic<std::uint32_t> first_edge;    // of a linked task, see Edge
    std::atomic<std::uint32_t> dependencies;  // how many bits it has
    std::uint32_t
        again;  // the generation with which a task was offered once more that the queue had lost; of the parent
    std::atomic<std::uint8_t> traits;   // those of the slot
    std::uint16_t retries;              // left; of the supervisor when its worker has died
    std::atomic<std::int64_t> timeout;  // nanoseconds, 0: none
    std::uint64_t excess;  // bytes that the worker had of a task that is lost with memory_exceeded; of the supervisor
                           // before the word says so

    // relaxed: a look at deadlines may see those of the slot's next task, and finds by the word that they are
    // not what it looks for.
    [[nodiscard]] bool has(std::uint8_t trait) const noexcept {
        return (traits.load(std::memory_order_relaxed) & trait) != 0;
    }
    [[nodiscard]] bool is_timed() const noexcept { return has(Slot::limited) && time_limit().count() != 0; }
    [[nodiscard]] std::chrono::nanoseconds time_limit() const noexcept {
        return std::chrono::nanoseconds{timeout.load(std::memory_order_relaxed)};
    }
};

static_assert(std::is_standard_layout_v<Issue> && std::is_trivially_destructible_v<Issue>,
              "processes share the bytes; none destroys them");

}  // namespace procpool::detail::task

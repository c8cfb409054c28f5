// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Latencies: how long the tasks of a seat have waited and run, by powers of two.

#include <procpool/core/platform.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// Counts durations: place i has those from 2^i up to 2^(i+1), the first one also 0. All-zero memory is the valid
/// initial state.
class Histogram {
public:
    using Counts = std::array<std::uint64_t, 64>;

    /// Called by: one thread at a time.
    void add(std::uint64_t duration, std::uint64_t times) noexcept {
        std::atomic<std::uint64_t>& count = counts_[static_cast<std::size_t>(std::bit_width(duration | 1) - 1)];
        count.store(count.load(std::memory_order_relaxed) + times, std::memory_order_relaxed);
    }
    /// Called by: any process, meanwhile.
    void add_to(Counts& sum) const noexcept {
        for (std::size_t i = 0; i < sum.size(); ++i) { sum[i] += counts_[i].load(std::memory_order_relaxed); }
    }

private:
    std::array<std::atomic<std::uint64_t>, 64> counts_;
};

/// Written by the worker on the seat, in all lives on it; in ticks: see os::ticks(). A task may have written anything
/// there.
struct alignas(apart) Latencies {
    Histogram waiting;
    Histogram running;

    /// Adds a task, or the items of a chunk, which took as long as each other. times: tasks that it stands for. A
    /// counter that differs between processors may seem to go back: then the time was short.
    void add(std::uint64_t submitted, std::uint64_t started, std::uint64_t ended, std::uint64_t items,
             std::uint64_t times) noexcept {
        waiting.add(started > submitted ? started - submitted : 0, items * times);
        running.add((ended > started ? ended - started : 0) / items, items * times);
    }
};

static_assert(std::is_standard_layout_v<Latencies> && std::is_trivially_destructible_v<Latencies>,
              "processes share the bytes; none destroys them");

}  // namespace procpool::detail::task

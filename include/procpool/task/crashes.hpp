// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Crashes: where the workers of lost tasks crashed.

#include <procpool/core/ending.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::task {

/// Where the workers of lost tasks crashed, by the number of the task; later records take the place of earlier ones.
/// All-zero memory is the valid initial state.
class Crashes {
public:
    /// Called by: supervisor, before the task's word says lost.
    void add(std::uint64_t task, const core::Crash& crash) noexcept {
        Record& record = records_[count_.fetch_add(1, std::memory_order_relaxed) % records_.size()];
        record.task.store(0, std::memory_order_release);
        record.crash = crash;
        record.crash.count = std::min<std::uint32_t>(crash.count, core::Crash::most_frames);  // written by a worker
        record.task.store(task, std::memory_order_release);
    }

    /// Returns: no frames when there is no record any more. Called by: parent.
    [[nodiscard]] core::Crash of(std::uint64_t task) const noexcept {
        for (const Record& record : records_) {
            if (record.task.load(std::memory_order_acquire) != task) { continue; }
            const core::Crash crash = record.crash;
            // Unchanged after the copy: then the copy is whole.
            if (record.task.load(std::memory_order_seq_cst) == task) { return crash; }
        }
        return {};
    }

private:
    struct Record {
        std::atomic<std::uint64_t> task;  // its number
        core::Crash crash;
    };

    std::array<Record, 64> records_;
    std::atomic<std::uint32_t> count_;
};

}  // namespace procpool::detail::task

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Announcer: tells log and trace what happens to the workers of a pool and to the tasks that they die over.

#include <procpool/core/config.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/log/report.hpp>
#include <procpool/os/children.hpp>
#include <procpool/task/board.hpp>

#include <atomic>
#include <cstdint>
#include <string_view>

namespace procpool::inline v0::detail::log {

/// A task that was lost.
struct Loss {
    Ending ending;
    os::EndedChild worker;
    bool runs_again;
    std::uint32_t index;    ///< of the worker, where that was a companion's; no_worker: unknown
    std::string_view host;  ///< likewise, its machine
    std::uint64_t excess;   ///< bytes that the worker had, where it was killed for them
};

/// Called by: supervisor, companion.
class Announcer {
public:
    /// first_index: of the workers of this machine, where another one has the pool; it tells of the lost tasks. Null:
    /// this one has it.
    explicit Announcer(task::Board& board, const std::atomic<std::uint32_t>* first_index = nullptr) noexcept
        : board_(board),
          first_index_(first_index) {}

    void started(std::uint32_t index, std::int32_t pid) const noexcept;
    /// fork() has failed for a replacement.
    void refused(std::uint32_t index, int error) const noexcept;
    /// state: of the seat when its worker died. alone: nobody asked for it, and no task was lost, whose loss would tell
    /// it.
    void ended(const task::Seat& seat, task::SeatState state, bool alone, const os::EndedChild& child) const noexcept;
    /// A worker has died over the task in a slot. word: of the slot, and still there: before anybody learns of it from
    /// the word.
    void lost(std::uint32_t slot, task::Word word, const Loss& loss) const noexcept;

    [[nodiscard]] LogSubject subject(std::uint32_t index, std::int32_t pid) const noexcept {
        return {index, pid, 0, {}, board_.control.name.data(), {}};
    }

private:
    /// A worker's index in the whole pool.
    [[nodiscard]] std::uint32_t number_of(std::uint32_t index) const noexcept {
        return index + (first_index_ != nullptr ? first_index_->load(std::memory_order_relaxed) : 0);
    }

    task::Board& board_;
    const std::atomic<std::uint32_t>* first_index_;
};

}  // namespace procpool::detail::log

#if PROCPOOL_BODIES
#include <procpool/log/announcer.ipp>
#endif

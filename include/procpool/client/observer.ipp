// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/observer.hpp>

#include <procpool/log/tracer.hpp>
#include <procpool/task/board.hpp>

namespace procpool::inline v0::detail::client {

[[gnu::noinline]] PROCPOOL_DECL std::uint8_t Observer::look_at(std::uint64_t number, const task::Board& board,
                                                               std::uint32_t slot) noexcept {
    std::uint8_t traits = 0;
    if (traces_) {
        board.label(slot).queued = log::trace_time();
        board.label(slot).started.store(0, std::memory_order_relaxed);
        traits |= task::Slot::traced;
    }
    if (rate_ && number == next_measured_) {
        const std::uint64_t stands_for = number < first_tasks ? 1 : 1 + (number * golden >> 59);
        next_measured_ = number + stands_for;
        task::Slot& task = board.all_slots()[slot];
        task.stands_for = static_cast<std::uint16_t>(stands_for);
        task.submitted = os::ticks();
        traits |= task::Slot::measured;
    }
    next_ = traces_ ? number + 1 : next_measured_;
    return traits;
}

}  // namespace procpool::detail::client

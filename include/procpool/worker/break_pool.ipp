// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/ending.hpp>
#include <procpool/log/log_record.hpp>
#include <procpool/task/control.hpp>
#include <procpool/worker/break_pool.hpp>

namespace procpool::inline v0::detail::worker {

PROCPOOL_DECL void break_pool(task::Board& board, std::string_view reason, const log::LogSubject& about) noexcept {
    board.from_workers.set_reason(reason);
    if (board.control.advance(task::Life::broken)) {
        log::report(LogLevel::error, about, "{}",
                    core::sentence(Ending::broken, {.reason = board.from_workers.reason()}));
    }
}

}  // namespace procpool::detail::worker

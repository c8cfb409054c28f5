// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/log/report.hpp>
#include <procpool/worker/bind.hpp>

#include <atomic>
#include <string>
#include <system_error>

namespace procpool::inline v0::detail::worker {

PROCPOOL_DECL void bind_worker(task::Board& board, const Setup& setup, std::uint32_t index) noexcept {
    if (setup.processors.empty()) { return; }
    const int error = setup.processors[index % setup.processors.size()].bind_this_thread();
    // relaxed: it says nothing about other memory
    if (error == 0 || board.from_workers.told_unbound.exchange(1, std::memory_order_relaxed) != 0) { return; }
    try {
        log::report(LogLevel::warning, log::subject_here(),
                    "worker {} could not be bound to its processors and runs on any: {}", index,
                    std::generic_category().message(error));
    } catch (...) {  // no memory for the words
    }
}

}  // namespace procpool::detail::worker

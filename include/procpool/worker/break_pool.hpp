// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// break_pool(): ends a pool that cannot go on, and says why.

#include <procpool/core/config.hpp>
#include <procpool/log/report.hpp>
#include <procpool/task/board.hpp>

#include <string_view>

namespace procpool::inline v0::detail::worker {

/// Breaks the pool and logs a record about `about`, unless the pool was terminated, killed or broken before.
/// The first reason given counts; tasks are not decided yet. Called by: supervisor, or parent.
void break_pool(task::Board& board, std::string_view reason, const log::LogSubject& about) noexcept;

}  // namespace procpool::detail::worker

#if PROCPOOL_BODIES
#include <procpool/worker/break_pool.ipp>
#endif

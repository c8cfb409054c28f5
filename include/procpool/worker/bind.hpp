// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// bind_worker(): binds a worker to the processors of its index.

#include <procpool/core/config.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/setup.hpp>

#include <cstdint>

namespace procpool::inline v0::detail::worker {

/// Effects: the calling thread runs where Setup::processors says for the worker of that index. Where that is refused it
/// runs where it did, and the pool's first worker to find out logs a warning. Called by: the worker, before code of the
/// user's; one that begins without an index, when it has got it.
void bind_worker(task::Board& board, const Setup& setup, std::uint32_t index) noexcept;

}  // namespace procpool::detail::worker

#if PROCPOOL_BODIES
#include <procpool/worker/bind.ipp>
#endif

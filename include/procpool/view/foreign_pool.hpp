// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// read_pool(): looks at a pool of another program of the same user; programs_pools() finds them.

#include <procpool/core/config.hpp>
#include <procpool/os/other_process.hpp>
#include <procpool/view/pool_view.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::view {

/// A pool at some moment, and whose it is.
struct ForeignPool {
    PoolView view;
    std::uint64_t device = 0;  ///< of the file of its memory; with the next one, it names the pool as long as it lives
    std::uint64_t inode = 0;
    std::int32_t supervisor = 0;
    std::int32_t program = 0;
    std::optional<std::string> program_name;  ///< at most 15 bytes, any; none: it has ended
    std::int64_t asked_at = 0;                ///< when /proc said the last four, and what workers use; steady clock, ns
};

/// The outcome of a look.
struct Look {
    std::optional<ForeignPool> pool;
    std::string why_not;   ///< empty where there is a pool; and where it has just ended, or is being built
    bool is_open = false;  ///< whether there is such a file at all
};

/// Nothing where the process is not the supervisor: others have the file open for a moment, when they fork or have just
/// been forked. Reads what is needed from the file of the pool's memory, where the supervisor has it open: nothing is
/// mapped, so whatever the program or another does with the file, this process only reads something else. Believes
/// nothing of what it reads. Does not wait for the pool, nor the pool for it; keeps nothing open. Throws:
/// std::bad_alloc. known: what was seen of it there a moment ago, if anything was: what /proc says is taken from there,
/// unless it is older than `fresh`, for it is most of the work.
[[nodiscard]] Look read_pool(os::OpenFile where, const ForeignPool* known = nullptr,
                             std::chrono::nanoseconds fresh = std::chrono::nanoseconds{0});

/// Returns: where read_pool() may find the pools of these processes; only: those of the program that this process
/// belongs to, be it the program, the supervisor or a worker; 0: all. A pool is its supervisor's, which is forked with
/// the file: a process that has none when it is found will not be one.
[[nodiscard]] os::OpenFiles find_pools(std::span<const std::int32_t> of, std::int32_t only = 0);
/// As above, of all processes.
[[nodiscard]] inline os::OpenFiles find_pools(std::int32_t only = 0) { return find_pools(os::all_processes(), only); }

}  // namespace procpool::detail::view

#include <procpool/view/foreign_pool.ipp>

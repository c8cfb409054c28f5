// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// read_pool(): looks at a pool of another program of the same user; programs_pools() finds them.

#include <procpool/core/config.hpp>
#include <procpool/os/other_process.hpp>
#include <procpool/view/pool_view.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
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
};

/// What became of a look.
struct Look {
    std::optional<ForeignPool> pool;
    std::string why_not;  ///< empty where there is a pool; and where it has just ended, or is being built
};

/// Reads what is needed from the file of the pool's memory, where the supervisor has it open: nothing is mapped, so
/// whatever the program or another does with the file, this process only reads something else. Believes nothing of what
/// it reads. Does not wait for the pool, nor the pool for it; keeps nothing open. Throws: std::bad_alloc.
[[nodiscard]] Look read_pool(os::OpenFile where);

/// Returns: where read_pool() may find the pools of all programs of the same user; only: of the process of that number,
/// whether it is the program, the supervisor or a worker; 0: of all.
[[nodiscard]] os::OpenFiles find_pools(std::int32_t only = 0);

}  // namespace procpool::detail::view

#include <procpool/view/foreign_pool.ipp>

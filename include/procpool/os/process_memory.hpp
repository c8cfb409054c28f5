// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// own_memory(), own_peak(): how much memory a process has that it shares with no other.

#include <procpool/core/config.hpp>

#include <cstdint>
#include <optional>

namespace procpool::inline v0::detail::os {

// None of these allocates. Pages that a process has inherited, and that neither it nor the other has written since,
// count for both.

/// Returns: the bytes in memory of a process, but for those of files and of memory that is mapped to be shared; nothing
/// for a process that there is not. Takes about 7 us.
[[nodiscard]] std::optional<std::uint64_t> own_memory(std::int32_t pid) noexcept;

/// Returns: as own_memory(), the most that it had since forget_peak(), or since it was forked. Too little by what is
/// shared now and was not then.
[[nodiscard]] std::optional<std::uint64_t> own_peak(std::int32_t pid) noexcept;

/// Effects: own_peak() begins anew. Where the system refuses that, it does not.
void forget_peak(std::int32_t pid) noexcept;

/// Whether SIGSTOP or a debugger has stopped the process.
[[nodiscard]] bool is_stopped(std::int32_t pid) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/process_memory.ipp>
#endif

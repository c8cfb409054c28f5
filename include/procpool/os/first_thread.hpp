// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// outlive_children(): the first thread of a process may end before the process does, and the kernel takes the end of
/// the one for that of the other.

#include <procpool/core/config.hpp>

namespace procpool::inline v0::detail::os {

/// Whether the calling thread has forked children that are not waited for yet.
[[nodiscard]] bool has_children_of_its_own() noexcept;

/// Whether this process has threads besides the caller, as far as /proc shows them.
[[nodiscard]] bool has_other_threads() noexcept;

/// Effects: when the caller ends by pthread_exit(), as main() may to leave the program to other threads, it stays as
/// long as it has children and there are such threads: the kernel would send its children the signal that they asked
/// for (PR_SET_PDEATHSIG) in case their parent ends. exit() and the return of main() do not wait. Called by: the first
/// thread, before it forks such a child.
void outlive_children();

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/first_thread.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// require_shared_memory(): a lock in memory that only one process has excludes nobody, so its constructor says so.

#include <procpool/core/config.hpp>

namespace procpool::inline v0::detail::sync {

/// Effects: prepares the table of members, for the children that are forked from now on. Throws: std::logic_error when
/// children of this process would not share the memory at `object` but get a copy of it; `what` names the type, as
/// "Mutex". As Members::prepare(). Called by: constructors of what processes share.
void require_shared_memory(const void* object, const char* what);

/// As require_shared_memory(), but other shared memory than that of Shared is refused: what uses stamps relies on the
/// table of members of all its processes being one.
void require_program_heap(const void* object, const char* what);

}  // namespace procpool::detail::sync

#if PROCPOOL_BODIES
#include <procpool/sync/placement.ipp>
#endif

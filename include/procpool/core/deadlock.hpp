// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// throw_deadlock(): for a wait that could never come to an end.

#include <procpool/core/config.hpp>

namespace procpool::inline v0::detail::core {

/// Throws: std::system_error (resource_deadlock_would_occur) with that text.
[[noreturn]] void throw_deadlock(const char* text);

/// Throws std::system_error (resource_deadlock_would_occur): an actor's calls do not overlap.
[[noreturn]] void throw_call_within_call();

}  // namespace procpool::detail::core

#if PROCPOOL_BODIES
#include <procpool/core/deadlock.ipp>
#endif

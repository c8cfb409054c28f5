// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// pin_this_module(): keeps the plugin that this code is part of in memory.

#include <procpool/core/config.hpp>

namespace procpool::inline v0::detail::os {

/// Effects: when this code was loaded with a library, dlclose() never removes it: threads, thread-specific keys and
/// functions given to atexit() point into it. None in the program's own file, or if the library cannot be found. Called
/// by: the first place that leaves such things; not in a child between its fork and the program's code, since it takes
/// the loader's lock.
void pin_this_module();

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/pinned_module.ipp>
#endif

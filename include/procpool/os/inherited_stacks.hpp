// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// wipe_inherited_stacks(): threads of a forked child begin as if its parent had had none.

#include <procpool/core/config.hpp>

namespace procpool::inline v0::detail::os {

/// A new thread of a forked child gets the stack of one that the parent had and, in glibc (2.36), also its mark that it
/// looks a symbol up, as at the first call of a function of another module. The mark stays where fork() came during
/// that, and dlopen() waits forever for its end, unless the new thread looks one up itself.
/// Effects: threads do that on the stacks that the next few will get. Called by: a child without other threads, before
/// it calls what makes threads and loads modules.
void wipe_inherited_stacks() noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/inherited_stacks.ipp>
#endif

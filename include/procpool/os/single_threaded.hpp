// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// is_single_threaded(): whether locked instructions can be spared.

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

namespace procpool::inline v0::detail::os {

/// Whether the caller is the only thread of this process: it stays so until the caller makes another, which then sees
/// all that the caller did. False where the C library does not know. Only for words that no other process uses.
[[nodiscard]] inline bool is_single_threaded() noexcept {
#if __has_include(<sys/single_threaded.h>)
    return __libc_single_threaded != 0;
#else
    return false;
#endif
}

}  // namespace procpool::detail::os

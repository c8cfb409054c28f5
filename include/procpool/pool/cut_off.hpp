// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// is_cut_off_by_exit(): a pool that is destroyed by exit() while calls of the library are suspended for ever.

#include <procpool/core/config.hpp>

namespace procpool::inline v0::detail::client {
class Client;
}

namespace procpool::inline v0::detail::pool {

class CallThreads;

/// Whether waiting for the end of a pool could last for ever, because exit() is called: by what the library called, so
/// that the call never goes on; or while another thread is in a call over many items, which may depend on what has been
/// suspended. The workers are killed when the program has ended, as those of a pool that is never destroyed. Called by:
/// the pool's destructor.
[[nodiscard]] bool is_cut_off_by_exit(client::Client& client) noexcept;

/// Effects: keeps references to the pool's parts until the program has ended: for programs that look for leaks.
void leave_to_exit(client::Client* client, CallThreads* threads) noexcept;

}  // namespace procpool::detail::pool

#if PROCPOOL_BODIES
#include <procpool/pool/cut_off.ipp>
#endif

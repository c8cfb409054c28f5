// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Ticket: names a task of a client.

#include <cstdint>

namespace procpool::inline v0::detail::client {

/// Names a task as long as its result may be collected; numbers are never used again.
struct Ticket {
    std::uint64_t serial;
    std::uint32_t slot;
};

}  // namespace procpool::detail::client

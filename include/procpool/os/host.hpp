// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// host_name(): the name of this machine.

#include <procpool/core/config.hpp>

#include <array>

namespace procpool::inline v0::detail::os {

/// A machine's name, cut to fit, with a zero at its end.
using HostName = std::array<char, 64>;

/// Returns: what gethostname() says.
[[nodiscard]] HostName host_name() noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/host.ipp>
#endif

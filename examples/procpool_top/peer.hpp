// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// is_of_this_user(): another user of this machine reaches the loopback too, and may not see this user's programs.

#include <boost/asio/ip/tcp.hpp>

namespace procpool_top {

/// Returns: whether the other end of an accepted connection, which is on this machine, is a socket of this user or of
/// root. False where the kernel does not tell.
[[nodiscard]] bool is_of_this_user(const boost::asio::ip::tcp::socket& accepted);

}  // namespace procpool_top

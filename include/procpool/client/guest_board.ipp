// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/guest_board.hpp>

#include <procpool/task/board.hpp>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL bool GuestBoard::is_there() const noexcept { return board != nullptr && board->guests.id() == id; }

}  // namespace procpool::detail::client

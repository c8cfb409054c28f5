// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// GuestBoard: names a board for processes that are not its parent.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>

#include <cstdint>

namespace procpool::inline v0::detail::task {
class Board;
}

namespace procpool::inline v0::detail::client {

/// A board, for a process that has its memory and is perhaps not its parent. Trivially copyable. The memory of a board
/// that has gone stays readable, and has another id.
struct GuestBoard {
    task::Board* board = nullptr;
    std::uint64_t id = 0;
    /// Whether it is still this board.
    [[nodiscard]] bool is_there() const noexcept;
};

/// The meaning of an address in an argument to the workers of a pool that this process makes; set by the first one.
inline constinit codec::VisibilityOf place_for_children = codec::visibility_unknown;

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/guest_board.ipp>
#endif

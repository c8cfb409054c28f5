// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Board: tasks that wait for others.

#include <procpool/core/config.hpp>
#include <procpool/task/board.hpp>

#include <cstdint>

namespace procpool::inline v0::detail::task {

template <class Look>
void Board::each_edge_of(std::uint32_t slot, Look look) const {
    const std::uint32_t number = half_number_of(slot);
    std::uint32_t next = issues_[slot].first_edge.load(std::memory_order_relaxed);
    for (std::uint32_t left = issues_[slot].dependencies.load(std::memory_order_relaxed);
         left != 0 && next != 0 && next <= edge_count_; --left) {
        const Edge& edge = edges_[next - 1];
        next = Edge::get(edge.sibling);
        if (Edge::get(edge.dependant) != slot || Edge::get(edge.dependant_number) != number) { return; }
        look(edge);
    }
}

}  // namespace procpool::detail::task

#if PROCPOOL_BODIES
#include <procpool/task/board_links.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// SentChunk: what the parent knows of a chunk.

#include <procpool/algorithm/chunk_head.hpp>
#include <procpool/pool/future.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace procpool::algorithm {

struct SentChunk {
    static constexpr std::size_t nobody = SIZE_MAX;

    TaskHandle task = {};
    engine::Ticket ticket = {};
    std::size_t first = 0;  ///< item of the range
    ChunkHead head = {};
    std::size_t casualty = nobody;          ///< the item of it that its worker died with
    unsigned attempt = 0;                   ///< of that item
    std::vector<std::byte> arguments = {};  ///< where its slot does not keep them
    bool seen_decided = false;

    /// Whether its results are those of items of one block, and not those of blocks.
    [[nodiscard]] bool is_apart() const noexcept { return (head.flags & ChunkHead::apart) != 0; }

    void sent_as(engine::Client& client, engine::Ticket as) {
        task = TaskHandle{client, as};
        ticket = as;
        seen_decided = false;
    }
    [[nodiscard]] bool is_decided() const { return !is_taken() && task.is_decided(); }
    /// What is left of one whose task has been moved away.
    [[nodiscard]] bool is_taken() const noexcept { return !task.valid(); }
};

}  // namespace procpool::algorithm

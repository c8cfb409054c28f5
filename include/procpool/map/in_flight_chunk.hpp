// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// InFlightChunk: a chunk of a call over many items as the parent knows it, with its second run, if there is one.

#include <procpool/client/pinned_values.hpp>
#include <procpool/client/ticket.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/future/task_handle.hpp>
#include <procpool/map/wire.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace procpool::inline v0::detail::map {

/// The time that the first run of a chunk takes, and its second run, if there is one.
struct Hedge {
    Clock::time_point since;       ///< a moment when the first run had not begun
    Clock::duration next_look{0};  ///< until then, from `since` on
    bool has_started = false;      ///< the first run
    bool is_over = false;          ///< there will be no second run any more
    TaskHandle task = {};          ///< the second run
    client::Ticket ticket = {};    ///< of it

    [[nodiscard]] bool is_submitted() const noexcept { return task.valid(); }
    [[nodiscard]] bool is_decided() const { return is_submitted() && task.is_decided(); }
};

/// A chunk as the parent knows it.
struct InFlightChunk {
    static constexpr std::size_t nobody = SIZE_MAX;

    TaskHandle task = {};
    client::Ticket ticket = {};
    std::size_t first = 0;  ///< item of the range
    ChunkHead head = {};
    std::size_t casualty = nobody;              ///< the item of it that its worker died with
    unsigned attempt = 0;                       ///< of that item
    std::vector<std::byte> arguments = {};      ///< where its slot does not keep them
    std::size_t argument_bytes = 0;             ///< of the arguments, wherever they are
    client::PinnedValues values = {};           ///< what they refer to
    std::vector<std::uint64_t> checksums = {};  ///< of its items, where there is a journal
    std::unique_ptr<Hedge> hedge = {};          ///< where the call has MapOptions::hedge
    bool seen_decided = false;

    /// Whether its results are those of items of one block, and not those of blocks.
    [[nodiscard]] bool is_apart() const noexcept { return (head.flags & ChunkHead::apart) != 0; }
    /// Whether one of its runs is decided.
    [[nodiscard]] bool is_decided() const {
        return (!is_taken() && task.is_decided()) || (hedge != nullptr && hedge->is_decided());
    }
    /// Whether its task has been moved away.
    [[nodiscard]] bool is_taken() const noexcept { return !task.valid(); }

    void submitted_as(client::Client& client, client::Ticket as) {
        task = TaskHandle{client, as};
        ticket = as;
        seen_decided = false;
    }
    /// Effects: prepares it for a submission of the items from `from` on. sent: the arguments as its slot has kept
    /// them. carry: the sum so far of the block that item is in. Returns: false when its slot has not kept them whole,
    /// since a task has written there.
    [[nodiscard]] bool go_on_from(std::size_t from, std::span<const std::byte> sent, std::span<const std::byte> carry);
};

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/in_flight_chunk.ipp>
#endif

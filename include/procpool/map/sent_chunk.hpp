// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// SentChunk: what the parent knows of a chunk.

#include <procpool/future/future.hpp>
#include <procpool/map/chunk_head.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <vector>

namespace procpool::inline v0::detail::map {

struct SentChunk {
    static constexpr std::size_t nobody = SIZE_MAX;

    TaskHandle task = {};
    client::Ticket ticket = {};
    std::size_t first = 0;  ///< item of the range
    ChunkHead head = {};
    std::size_t casualty = nobody;          ///< the item of it that its worker died with
    unsigned attempt = 0;                   ///< of that item
    std::vector<std::byte> arguments = {};  ///< where its slot does not keep them
    std::size_t argument_bytes = 0;         ///< how many there are, wherever they are
    bool seen_decided = false;

    /// Whether its results are those of items of one block, and not those of blocks.
    [[nodiscard]] bool is_apart() const noexcept { return (head.flags & ChunkHead::apart) != 0; }

    void sent_as(client::Client& client, client::Ticket as) {
        task = TaskHandle{client, as};
        ticket = as;
        seen_decided = false;
    }
    /// Effects: it is ready to be sent once more, for the items from `from` on. sent: the arguments as its slot has
    /// kept them. carry: what was folded of the block that item is in. Returns: false when its slot has not kept them
    /// whole, since a task has written there.
    [[nodiscard]] bool go_on_from(std::size_t from, std::span<const std::byte> sent, std::span<const std::byte> carry) {
        if (arguments.empty()) { arguments.assign(sent.begin(), sent.end()); }  // its slot may be needed for it
        if (arguments.size() != argument_bytes) { return false; }
        arguments.resize(arguments.size() - head.carry);
        arguments.insert(arguments.end(), carry.begin(), carry.end());
        argument_bytes = arguments.size();
        head.carry = carry.size();
        head.skip = from;
        head.attempt = casualty == nobody || from > casualty ? 0 : attempt;
        std::memcpy(arguments.data(), &head, sizeof head);
        return true;
    }
    /// Returns: why it is lost, when a task has written where its slot is.
    [[nodiscard]] std::exception_ptr error_of_overwritten(const client::Client::Taken& taken) const {
        const std::string where = "item " + std::to_string(first + head.skip);
        if (taken.phase() != task::Phase::done) { return taken.error(where); }
        return client::error_of({.ending = Ending::overwritten}, where, {});
    }
    [[nodiscard]] bool is_decided() const { return !is_taken() && task.is_decided(); }
    /// What is left of one whose task has been moved away.
    [[nodiscard]] bool is_taken() const noexcept { return !task.valid(); }
};

}  // namespace procpool::detail::map

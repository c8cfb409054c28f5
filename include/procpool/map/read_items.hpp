// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ReadItems: items of a call with a journal, encoded before it is known whether they run.

#include <procpool/client/pinned_values.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace procpool::inline v0::detail::map {

/// Knows no type of the user's. Called by: the call's thread.
class ReadItems {
public:
    /// framed: as the chunks of the call have them.
    ReadItems(client::Client& client, bool framed);
    ReadItems(const ReadItems&) = delete;
    ReadItems& operator=(const ReadItems&) = delete;

    /// Effects: forgets all of them; the next one is the item `first`.
    void begin(std::size_t first) noexcept;
    /// Effects: adds an item. encode: writes it for the workers. known: writes what it is known by in another run.
    /// Throws: any exception of both, unless items are framed and it is one of `encode`: then that is in its place;
    /// CodecError when it has no such bytes. It is not added then.
    void add(client::Encode encode, client::Encode known);

    [[nodiscard]] std::size_t first() const noexcept { return first_; }
    [[nodiscard]] std::size_t count() const noexcept { return ends_.size(); }
    /// Returns: a checksum of each item from the i-th on.
    [[nodiscard]] std::span<const std::uint64_t> checksums(std::size_t i) const noexcept {
        return std::span{checksums_}.subspan(i);
    }

    /// Effects: writes `count` items from the i-th on, or as many as there is room for. Returns: their number. Throws:
    /// SharedMemoryExhausted when that is none.
    [[nodiscard]] std::size_t write(Writer& out, std::size_t i, std::size_t count) const;

private:
    void write_known(client::Encode known);

    client::Client& client_;
    const bool framed_;
    std::size_t first_ = 0;
    std::vector<std::byte> bytes_;
    Writer out_;
    std::vector<std::byte> known_bytes_;
    Writer known_;
    std::vector<std::size_t> ends_;  // of the items, in bytes_
    std::vector<std::uint64_t> checksums_;
    client::PinnedValues values_;  // what they refer to
};

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/read_items.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Space: the record of which parts of a range are taken, kept beside the range and not in it.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace procpool::inline v0::detail::shm {

/// Divides [0, size) into pieces. Knows offsets only, so no write to the pieces can harm it. Not thread-safe.
class Space {
public:
    /// Throws: std::bad_alloc.
    explicit Space(std::size_t size);

    /// Returns: where a piece of `size` bytes was free and is taken now: the one that fits best, and of those the
    /// first; nothing when there is none. Throws: std::bad_alloc; nothing has changed then. Requires: size is not 0.
    [[nodiscard]] std::optional<std::size_t> take(std::size_t size);

    /// Requires: take() returned `offset`, and it has not been released since.
    void release(std::size_t offset) noexcept;

    /// Returns: where the piece begins that `offset` lies in. Requires: it is taken.
    [[nodiscard]] std::size_t start_of(std::size_t offset) const noexcept;

    [[nodiscard]] std::size_t free_bytes() const noexcept { return free_bytes_; }

    /// Effects: calls f(offset, size) for every free piece; no two of them touch.
    template <class F>
    void for_each_free(F f) const {
        for (const auto& [size, offset] : by_size_) { f(offset, size); }
    }

private:
    using BySize = std::set<std::pair<std::size_t, std::size_t>>;  // of free pieces: size, offset
    struct Piece {
        std::size_t size;
        BySize::node_type entry;  // while it is taken: so that its release needs no memory
        [[nodiscard]] bool is_free() const noexcept { return entry.empty(); }
    };
    using Pieces = std::map<std::size_t, Piece>;  // by offset

    /// Effects: extends the first to the end of the second; the first gets no entry yet.
    void join(Pieces::iterator first, Pieces::iterator second) noexcept;

    Pieces pieces_;
    BySize by_size_;
    std::size_t free_bytes_;
};

}  // namespace procpool::detail::shm

#if PROCPOOL_BODIES
#include <procpool/shm/space.ipp>
#endif

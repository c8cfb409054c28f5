// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Space: which parts of a range are taken, noted beside it and not in it.

#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace procpool::inline v0::detail::shm {

/// Divides [0, size) into pieces. Knows offsets only, so nothing that is written to the pieces can harm it. Not
/// thread-safe.
class Space {
public:
    /// Throws: std::bad_alloc.
    explicit Space(std::size_t size) : free_bytes_(size) {
        if (size == 0) { return; }
        by_size_.emplace(size, 0);
        pieces_.emplace(0, Piece{size, {}});
    }

    /// Returns: where a piece of `size` bytes was free and is taken now: the one that fits best, and of those the
    /// first; nothing when there is none. Throws: std::bad_alloc; nothing has changed then. Requires: size is not 0.
    [[nodiscard, gnu::noinline]] std::optional<std::size_t> take(std::size_t size) {
        const auto best = by_size_.lower_bound({size, 0});
        if (best == by_size_.end()) { return std::nullopt; }
        const auto [found, offset] = *best;
        const auto piece = pieces_.find(offset);
        if (found == size) {
            piece->second.entry = by_size_.extract(best);
        } else {
            BySize made;
            made.emplace(size, offset);  // all that can throw comes first
            pieces_.emplace_hint(std::next(piece), offset + size, Piece{found - size, {}});
            BySize::node_type rest = by_size_.extract(best);
            rest.value() = {found - size, offset + size};
            by_size_.insert(std::move(rest));
            piece->second = Piece{size, made.extract(made.begin())};
        }
        free_bytes_ -= size;
        return offset;
    }

    /// Requires: take() returned `offset`, and it has not been released since.
    [[gnu::noinline]] void release(std::size_t offset) noexcept {
        auto piece = pieces_.find(offset);
        BySize::node_type entry = std::move(piece->second.entry);
        free_bytes_ += piece->second.size;
        if (const auto next = std::next(piece); next != pieces_.end() && next->second.is_free()) { join(piece, next); }
        if (piece != pieces_.begin()) {
            if (const auto before = std::prev(piece); before->second.is_free()) {
                join(before, piece);
                piece = before;
            }
        }
        entry.value() = {piece->second.size, piece->first};
        by_size_.insert(std::move(entry));
    }

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

    /// Effects: the first reaches to the end of the second, and has no entry yet.
    void join(Pieces::iterator first, Pieces::iterator second) noexcept {
        by_size_.erase({first->second.size, first->first});
        by_size_.erase({second->second.size, second->first});
        first->second.size += second->second.size;
        pieces_.erase(second);
    }

    Pieces pieces_;
    BySize by_size_;
    std::size_t free_bytes_;
};

}  // namespace procpool::detail::shm

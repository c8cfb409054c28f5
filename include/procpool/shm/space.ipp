// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/shm/space.hpp>

#include <iterator>

namespace procpool::inline v0::detail::shm {

PROCPOOL_DECL Space::Space(std::size_t size) : free_bytes_(size) {
    if (size == 0) { return; }
    by_size_.emplace(size, 0);
    pieces_.emplace(0, Piece{size, {}});
}

[[gnu::noinline]] PROCPOOL_DECL std::optional<std::size_t> Space::take(std::size_t size) {
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

PROCPOOL_DECL std::size_t Space::start_of(std::size_t offset) const noexcept {
    return std::prev(pieces_.upper_bound(offset))->first;
}

[[gnu::noinline]] PROCPOOL_DECL void Space::release(std::size_t offset) noexcept {
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

PROCPOOL_DECL void Space::join(Pieces::iterator first, Pieces::iterator second) noexcept {
    by_size_.erase({first->second.size, first->first});
    by_size_.erase({second->second.size, second->first});
    first->second.size += second->second.size;
    pieces_.erase(second);
}

}  // namespace procpool::detail::shm

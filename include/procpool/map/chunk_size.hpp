// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ChunkSize: how many items the next chunk gets.

#include <procpool/core/config.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace procpool::inline v0::detail::map {

/// Guided self-scheduling (Polychronopoulos and Kuck, 1987): a share of the items that are left, so that all workers
/// end together, but never so few that handing them over costs more than a few percent, by the measured cost of an
/// item. Called by: the thread that runs the map.
class ChunkSize {
public:
    /// fixed: 0 to adapt. total: nothing when unknown. bytes_per_item: 0 when nothing is copied.
    ChunkSize(std::size_t fixed, std::optional<std::size_t> total, std::size_t workers,
              std::size_t bytes_per_item) noexcept;

    /// Returns: the best size of the next chunk.
    [[nodiscard]] std::size_t wanted() const noexcept { return fixed_ != 0 ? fixed_ : adapted(); }
    /// Effects: counts items as handed out: `size` of them, or all that are left. Returns: their number.
    [[nodiscard]] std::size_t hand_out(std::size_t size) noexcept;

    /// Effects: takes hand_out() back, for a chunk that could not be submitted.
    void put_back(std::size_t size) noexcept { handed_out_ -= size; }

    /// Effects: learns that a chunk of `items` took that long.
    void measured(std::size_t items, std::chrono::nanoseconds elapsed) noexcept;

    /// Returns: nanoseconds that an item takes its worker; 0 as long as none has been measured.
    [[nodiscard]] double cost() const noexcept { return cost_; }
    [[nodiscard]] bool is_fixed() const noexcept { return fixed_ != 0; }

    /// Returns: how long a chunk of `items` may take, going by those that were measured; 0 as long as there are none.
    [[nodiscard]] std::chrono::nanoseconds time_of(std::size_t items) const noexcept;

private:
    [[nodiscard]] std::size_t adapted() const noexcept;

    std::size_t fixed_;
    std::optional<std::size_t> total_;
    std::size_t workers_;
    std::size_t most_;
    std::size_t handed_out_ = 0;
    std::size_t samples_ = 0;  // items of the largest chunk measured
    double cost_ = 0;          // nanoseconds an item
};

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/chunk_size.ipp>
#endif

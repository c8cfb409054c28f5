// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/chunk_size.hpp>

#include <algorithm>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL ChunkSize::ChunkSize(std::size_t fixed, std::optional<std::size_t> total, std::size_t workers,
                                   std::size_t bytes_per_item) noexcept
    : fixed_(fixed),
      total_(total),
      workers_(workers) {
    constexpr std::size_t most_bytes = std::size_t{60} << 10;  // fits a slot's window and stays in cache
    most_ = bytes_per_item == 0 ? SIZE_MAX : std::max<std::size_t>(1, most_bytes / bytes_per_item);
}

PROCPOOL_DECL std::size_t ChunkSize::hand_out(std::size_t size) noexcept {
    if (total_) { size = std::min(size, *total_ - handed_out_); }
    handed_out_ += size;
    return size;
}

PROCPOOL_DECL void ChunkSize::measured(std::size_t items, std::chrono::nanoseconds elapsed) noexcept {
    if (items == 0) { return; }
    const double cost = static_cast<double>(elapsed.count()) / static_cast<double>(items);
    // A larger sample says more: the first, of single items, mostly measures the clock.
    const double weight = items >= samples_ ? 0.5 : 0.1;
    cost_ = samples_ == 0 ? cost : cost_ + weight * (cost - cost_);
    samples_ = std::max(samples_, items);
}

PROCPOOL_DECL std::chrono::nanoseconds ChunkSize::time_of(std::size_t items) const noexcept {
    constexpr double most = 1e18;
    return std::chrono::nanoseconds{static_cast<std::int64_t>(std::min(most, cost_ * static_cast<double>(items)))};
}

PROCPOOL_DECL std::size_t ChunkSize::adapted() const noexcept {
    constexpr double worthwhile = 50e3;  // nanoseconds of work that hide the cost of a chunk to its worker
    constexpr double of_parent = 3e3;    // nanoseconds that hide its cost to the parent, which serves all workers
    constexpr std::size_t shares_per_worker = 4;
    constexpr std::size_t whole =
        64;  // larger chunks are multiples of it, so that the next ones begin at aligned items

    if (samples_ == 0) { return 1; }
    const double floor =
        std::max(1.0, std::max(worthwhile, of_parent * static_cast<double>(workers_)) / std::max(cost_, 0.01));
    double size = floor;
    if (total_) {
        size = std::max(floor,
                        static_cast<double>(*total_ - handed_out_) / static_cast<double>(shares_per_worker * workers_));
    }
    const double growth = static_cast<double>(samples_) * 64;  // do not trust a small sample too far
    const double most = static_cast<double>(std::min<std::size_t>(most_, std::size_t{1} << 48));
    const auto items = static_cast<std::size_t>(std::clamp(std::min(size, growth), 1.0, most));
    return items < whole ? items : items - items % whole;
}

}  // namespace procpool::detail::map

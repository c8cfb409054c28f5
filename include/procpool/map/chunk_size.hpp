// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ChunkSize: how many items the next chunk shall have.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>

namespace procpool::inline v0::detail::map {

template <class Range>
[[nodiscard]] std::optional<std::size_t> size_if_known(Range& range) {
    if constexpr (std::ranges::sized_range<Range>) {
        return static_cast<std::size_t>(std::ranges::size(range));
    } else {
        return std::nullopt;
    }
}

/// Guided self-scheduling (Polychronopoulos and Kuck, 1987): a share of what is left, so that all workers end together,
/// but never so little that handing it over costs more than a few percent, which the measured cost of an item tells.
/// Called by: the thread that runs the map.
class ChunkSize {
public:
    /// fixed: 0 to adapt. total: nothing when unknown. bytes_per_item: 0 when nothing is copied.
    ChunkSize(std::size_t fixed, std::optional<std::size_t> total, std::size_t workers,
              std::size_t bytes_per_item) noexcept
        : fixed_(fixed),
          total_(total),
          workers_(workers),
          most_(bytes_per_item == 0 ? SIZE_MAX : std::max<std::size_t>(1, copied_bytes / bytes_per_item)) {}

    /// What the next chunk should have.
    [[nodiscard]] std::size_t wanted() const noexcept { return fixed_ != 0 ? fixed_ : adapted(); }
    /// Effects: so many items are handed out, or as many as there are.
    [[nodiscard]] std::size_t hand_out(std::size_t size) noexcept {
        if (total_) { size = std::min(size, *total_ - handed_out_); }
        handed_out_ += size;
        return size;
    }

    /// The chunk of that size could not be handed out.
    void put_back(std::size_t size) noexcept { handed_out_ -= size; }

    /// A chunk of `items` took that long.
    void measured(std::size_t items, std::chrono::nanoseconds elapsed) noexcept {
        if (items == 0) { return; }
        const double cost = static_cast<double>(elapsed.count()) / static_cast<double>(items);
        // A larger sample tells more: the first, of single items, mostly measures the clock.
        const double weight = items >= samples_ ? 0.5 : 0.1;
        cost_ = samples_ == 0 ? cost : cost_ + weight * (cost - cost_);
        samples_ = std::max(samples_, items);
    }

    /// Nanoseconds that an item takes its worker; 0 as long as none has been measured.
    [[nodiscard]] double cost() const noexcept { return cost_; }
    [[nodiscard]] bool is_fixed() const noexcept { return fixed_ != 0; }

    /// How long a chunk of that size may take, going by those that were measured; 0 as long as there are none.
    [[nodiscard]] std::chrono::nanoseconds time_of(std::size_t items) const noexcept {
        constexpr double most = 1e18;
        return std::chrono::nanoseconds{static_cast<std::int64_t>(std::min(most, cost_ * static_cast<double>(items)))};
    }

private:
    static constexpr double worthwhile = 50e3;  // nanoseconds of work that hide what a chunk costs its worker
    static constexpr double of_parent = 3e3;  // nanoseconds that hide what it costs the parent, who serves all workers
    static constexpr std::size_t copied_bytes = std::size_t{60} << 10;  // fits a slot's window and stays in cache

    [[nodiscard]] std::size_t adapted() const noexcept {
        if (samples_ == 0) { return 1; }
        const double floor =
            std::max(1.0, std::max(worthwhile, of_parent * static_cast<double>(workers_)) / std::max(cost_, 0.01));
        double size = floor;
        if (total_) {
            size = std::max(
                floor, static_cast<double>(*total_ - handed_out_) / static_cast<double>(shares_per_worker * workers_));
        }
        const double growth = static_cast<double>(samples_) * 64;  // do not trust a small sample too far
        const double most = static_cast<double>(std::min<std::size_t>(most_, std::size_t{1} << 48));
        const auto items = static_cast<std::size_t>(std::clamp(std::min(size, growth), 1.0, most));
        return items < whole ? items : items - items % whole;
    }

    static constexpr std::size_t shares_per_worker = 4;
    static constexpr std::size_t whole =
        64;  // chunks beyond that are multiples of it, so that the next ones begin at aligned items

    std::size_t fixed_;
    std::optional<std::size_t> total_;
    std::size_t workers_;
    std::size_t most_;
    std::size_t handed_out_ = 0;
    std::size_t samples_ = 0;  // items of the largest chunk measured
    double cost_ = 0;          // nanoseconds an item
};

}  // namespace procpool::detail::map

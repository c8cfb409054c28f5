// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Zip and Starred: ranges whose items are the arguments of calls.

#include <procpool/map/wire.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::map {

template <class Range>
inline constexpr bool is_endless_v = std::is_same_v<std::ranges::sentinel_t<Range>, std::unreachable_sentinel_t>;

/// A range of somebody else's, as a range that can be copied.
template <class Range>
class RangeRef {
public:
    explicit RangeRef(Range& range) noexcept : range_(&range) {}
    [[nodiscard]] auto begin() const { return std::ranges::begin(*range_); }
    [[nodiscard]] auto end() const { return std::ranges::end(*range_); }
    [[nodiscard]] auto size() const requires std::ranges::sized_range<Range> { return std::ranges::size(*range_); }

private:
    Range* range_;
};

/// The calls' n-th arguments come from the n-th range; over when the shortest is. Holds ranges by value:
/// RangeRef for those of others. Single pass: begin() once.
template <class... Ranges>
class Zip {
public:
    explicit Zip(Ranges... ranges) : ranges_(std::move(ranges)...) {}

    class iterator {
    public:
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;
        iterator() = default;
        explicit iterator(Zip& from)
            : from_(&from),
              at_(std::apply([](auto&... each) { return Iterators{std::ranges::begin(each)...}; }, from.ranges_)) {}
        [[nodiscard]] auto operator*() const {
            return std::apply([](const auto&... each) { return Pack<std::tuple<decltype(*each)...>>{{*each...}}; },
                              at_);
        }
        iterator& operator++() {
            std::apply([](auto&... each) { (static_cast<void>(++each), ...); }, at_);
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& it, std::default_sentinel_t) {
            return it.is_over(std::index_sequence_for<Ranges...>{});
        }

    private:
        using Iterators = std::tuple<std::ranges::iterator_t<Ranges>...>;
        template <std::size_t... At>
        [[nodiscard]] bool is_over(std::index_sequence<At...>) const {
            return ((std::get<At>(at_) == std::ranges::end(std::get<At>(from_->ranges_))) || ...);
        }

        Zip* from_ = nullptr;
        Iterators at_;
    };

    [[nodiscard]] iterator begin() { return iterator{*this}; }
    [[nodiscard]] static std::default_sentinel_t end() noexcept { return {}; }

    [[nodiscard]] std::size_t size() requires((std::ranges::sized_range<Ranges> || is_endless_v<Ranges>)&&...) &&
        (std::ranges::sized_range<Ranges> || ...) {
        return std::apply([](auto&... each) { return std::min({size_of(each)...}); }, ranges_);
    }

private:
    template <class Range>
    [[nodiscard]] static std::size_t size_of(Range& range) {
        if constexpr (std::ranges::sized_range<Range>) {
            return static_cast<std::size_t>(std::ranges::size(range));
        } else {
            return SIZE_MAX;
        }
    }

    std::tuple<Ranges...> ranges_;
};

/// The elements of the range's items are the arguments. As Zip otherwise.
template <class Range>
class Starred {
public:
    explicit Starred(Range range) : range_(std::move(range)) {}

    class iterator {
    public:
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;
        iterator() = default;
        explicit iterator(Range& range) : range_(&range), at_(std::ranges::begin(range)) {}
        [[nodiscard]] auto operator*() const { return Pack<std::ranges::range_reference_t<Range>>{*at_}; }
        iterator& operator++() {
            ++at_;
            return *this;
        }
        void operator++(int) { ++at_; }
        friend bool operator==(const iterator& it, std::default_sentinel_t) {
            return it.at_ == std::ranges::end(*it.range_);
        }

    private:
        Range* range_ = nullptr;
        std::ranges::iterator_t<Range> at_;
    };

    [[nodiscard]] iterator begin() { return iterator{range_}; }
    [[nodiscard]] static std::default_sentinel_t end() noexcept { return {}; }
    [[nodiscard]] std::size_t size() requires std::ranges::sized_range<Range> {
        return static_cast<std::size_t>(std::ranges::size(range_));
    }

private:
    Range range_;
};

}  // namespace procpool::detail::map

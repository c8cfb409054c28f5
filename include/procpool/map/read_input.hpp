// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ReadInput: the items of a range, read now and run later.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/map/wire.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <span>
#include <vector>

namespace procpool::inline v0::detail::map {

/// Items of any type, encoded: they need not be copyable.
template <class Item>
class ReadInput {
public:
    /// Throws: what the range and the items' Codecs throw.
    template <class Range>
    ReadInput(Range& range, codec::VisibilityOf place_of) {
        Writer out{bytes_, codec::grow_vector, &bytes_, place_of};
        auto end = std::ranges::end(range);
        for (auto next = std::ranges::begin(range); next != end; ++next) {
            encode_item<Item>(out, *next);
            ends_.push_back(out.size());
        }
    }

    class iterator {
    public:
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;
        iterator() = default;
        explicit iterator(const ReadInput& from) noexcept : from_(&from) {}
        [[nodiscard]] EncodedItem operator*() const {
            const std::size_t begin = at_ == 0 ? 0 : from_->ends_[at_ - 1];
            return {std::span<const std::byte>{from_->bytes_}.subspan(begin, from_->ends_[at_] - begin)};
        }
        iterator& operator++() {
            ++at_;
            return *this;
        }
        void operator++(int) { ++at_; }
        friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept {
            return it.at_ == it.from_->size();
        }

    private:
        const ReadInput* from_ = nullptr;
        std::size_t at_ = 0;
    };

    [[nodiscard]] iterator begin() const noexcept { return iterator{*this}; }
    [[nodiscard]] static std::default_sentinel_t end() noexcept { return {}; }
    [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }

private:
    std::vector<std::byte> bytes_;
    std::vector<std::size_t> ends_;
};

/// Plain items side by side.
template <class Item>
requires(codec::is_plain_v<Item> && !std::is_empty_v<Item> && !std::is_same_v<Item, bool>) class ReadInput<Item>
    : public std::vector<Item> {
public:
    template <class Range>
    ReadInput(Range& range, codec::VisibilityOf) {
        if constexpr (std::ranges::sized_range<Range>) {
            this->reserve(static_cast<std::size_t>(std::ranges::size(range)));
        }
        auto end = std::ranges::end(range);
        for (auto next = std::ranges::begin(range); next != end; ++next) { this->push_back(codec::to_wire(*next)); }
    }
};

}  // namespace procpool::detail::map

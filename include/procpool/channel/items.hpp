// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// EncodedItems, TakenItems: the bytes of many items, on their way into a queue or out of it.

#include <procpool/channel/message_buffer.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/codec/codec.hpp>

#include <cstddef>
#include <ranges>
#include <span>
#include <type_traits>
#include <vector>

namespace procpool::inline v0::detail::channel {

/// The items of a range, encoded as Ts.
class EncodedItems {
public:
    /// Throws: the exceptions of the values' Codec and of the range's iterators.
    template <class Range, class T>
    EncodedItems(Range& values, codec::VisibilityOf visibility, std::type_identity<T> /*type*/) {
        Writer out{buffer_.room(), MessageBuffer::grow_for_writer, &buffer_, visibility};
        for (auto&& value : values) {
            const T& item = value;
            Codec<T>::encode(out, item);
            ends_.push_back(out.size());
        }
        bytes_ = out.buffer().first(out.size());
    }
    EncodedItems(const EncodedItems&) = delete;
    EncodedItems& operator=(const EncodedItems&) = delete;

    [[nodiscard]] std::size_t count() const noexcept { return ends_.size(); }
    [[nodiscard]] std::span<const std::byte> item(std::size_t number) const noexcept {
        const std::size_t begin = number == 0 ? 0 : ends_[number - 1];
        return std::span<const std::byte>{bytes_}.subspan(begin, ends_[number] - begin);
    }

private:
    MessageBuffer buffer_;
    std::span<std::byte> bytes_;
    std::vector<std::size_t> ends_;  // of each item in the bytes
};

/// The bytes of items that are being taken.
class TakenItems {
public:
    /// Returns: memory for one item more, valid until the next call. Throws: std::bad_alloc.
    [[nodiscard]] std::span<std::byte> add(std::size_t size) {
        const std::size_t begin = ends_.empty() ? 0 : ends_.back();
        bytes_ = buffer_.make_room(begin + size, begin);
        ends_.push_back(begin + size);
        return bytes_.subspan(begin);
    }

    /// Effects: appends the values. Throws: the exceptions of their Codec.
    template <class T>
    void decode(std::vector<T>& values, codec::VisibilityOf visibility) const {
        values.reserve(values.size() + ends_.size());
        std::size_t begin = 0;
        for (const std::size_t end : ends_) {
            Reader in{bytes_.subspan(begin, end - begin), visibility};
            values.push_back(Codec<T>::decode(in));
            begin = end;
        }
    }

private:
    MessageBuffer buffer_;
    std::span<std::byte> bytes_;
    std::vector<std::size_t> ends_;
};

}  // namespace procpool::detail::channel

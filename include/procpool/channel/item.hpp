// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Values as the items of queues and pipes: checked at compile time, encoded and decoded.

#include <procpool/channel/message_buffer.hpp>
#include <procpool/codec/codec.hpp>
#include <procpool/codec/refusal.hpp>
#include <procpool/codec/standard.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

namespace procpool::inline v0::detail::channel {

/// Does not compile, and says why, unless values of T can be taken out of a queue that others have put in.
template <class T>
constexpr auto require_item() {
    static_assert(std::is_same_v<T, std::remove_cvref_t<T>>,
                  "procpool: a queue or pipe holds values: write Queue<T> or pipe<T>() with a T without const and &");
    codec::require_travels<T>();
    if constexpr (Encodable<T>) {
        static_assert(
            !codec::holds_view<T>(),
            "procpool: a string_view or span that comes out of a queue or pipe would view what is gone: use "
            "std::string or std::vector, the address of an element of a SharedArray, or what a Ref refers to");
    }
}

/// Types whose items are their bytes, which go into a queue and out of it without a copy in between.
template <class T>
concept ItsBytes = requires {
    requires Codec<T>::plain;
}
&&std::is_trivially_default_constructible_v<T> && !std::is_empty_v<T> && !std::is_same_v<T, bool>;

/// Effects: calls put(bytes) with those of the value. Throws: the exceptions of the value's Codec, before that.
template <class T, class Put>
auto put_encoded(const T& value, codec::VisibilityOf visibility, Put put) {
    if constexpr (ItsBytes<T>) {
        return put(std::as_bytes(std::span<const T, 1>{std::addressof(value), 1}));
    } else {
        MessageBuffer buffer;
        Writer out{buffer.room(), MessageBuffer::grow_for_writer, &buffer, visibility};
        Codec<T>::encode(out, value);
        return put(std::span<const std::byte>{out.buffer().first(out.size())});
    }
}

/// Effects: calls get(room), which is to ask the room for memory, fill it and return true; decodes what is there.
/// Returns: nothing() when get() returns false.
template <class T, class Result = T, class Get, class Nothing>
Result get_decoded(codec::VisibilityOf visibility, Get get, Nothing nothing) {
    MessageBuffer buffer;
    std::span<std::byte> item;
    if constexpr (ItsBytes<T>) {
        T value;
        const std::span<std::byte> bytes = std::as_writable_bytes(std::span<T, 1>{std::addressof(value), 1});
        const auto room = [&](std::size_t size) {
            return item = size == sizeof(T) ? bytes : buffer.make_room(size);  // overwritten by a task
        };
        if (!get(room)) { return nothing(); }
        if (item.data() == bytes.data()) [[likely]] { return value; }
    } else if (!get([&](std::size_t size) { return item = buffer.make_room(size); })) {
        return nothing();
    }
    Reader in{item, visibility};
    return Codec<T>::decode(in);
}

}  // namespace procpool::detail::channel

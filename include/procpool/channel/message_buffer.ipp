// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/channel/message_buffer.hpp>

#include <algorithm>
#include <cstring>

namespace procpool::inline v0::detail::channel {

/// The buffer that a thread keeps while none of its items is on its way. A Codec may use another queue meanwhile.
struct SpareBuffer {
    std::unique_ptr<std::byte[]> memory;
    std::size_t size = 0;
    static constexpr std::size_t most = std::size_t{1} << 20;  // larger ones are freed at once

    [[nodiscard]] static SpareBuffer& of_this_thread() {
        static thread_local SpareBuffer spare;
        return spare;
    }
};

PROCPOOL_DECL void MessageBuffer::grow(std::size_t size, std::size_t used) {
    SpareBuffer& spare = SpareBuffer::of_this_thread();
    std::unique_ptr<std::byte[]> larger;
    std::size_t larger_size = spare.size;
    if (spare.size >= size) {
        larger = std::move(spare.memory);
        spare.size = 0;
    } else {
        larger_size = std::max(size, room_.size() * 2);
        larger.reset(new std::byte[larger_size]);
    }
    if (used != 0) { std::memcpy(larger.get(), room_.data(), used); }
    large_ = std::move(larger);
    room_ = {large_.get(), larger_size};
}

PROCPOOL_DECL void MessageBuffer::give_back() noexcept {
    SpareBuffer& spare = SpareBuffer::of_this_thread();
    if (room_.size() > SpareBuffer::most || room_.size() <= spare.size) { return; }
    spare.memory = std::move(large_);
    spare.size = room_.size();
}

PROCPOOL_DECL std::span<std::byte> MessageBuffer::grow_for_writer(void* owner, std::span<std::byte> /*current*/,
                                                                  std::size_t used, std::size_t need) {
    auto* const buffer = static_cast<MessageBuffer*>(owner);
    buffer->grow(need, used);
    return buffer->room();
}

}  // namespace procpool::detail::channel

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MessageBuffer: memory of the calling thread for the bytes of one item, on their way into a queue or out of it.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace procpool::inline v0::detail::channel {

/// Small items need no allocation; for larger ones the thread keeps a buffer from item to item.
class MessageBuffer {
public:
    MessageBuffer() noexcept { room_ = small_; }
    MessageBuffer(const MessageBuffer&) = delete;
    MessageBuffer& operator=(const MessageBuffer&) = delete;
    ~MessageBuffer() {
        if (large_ != nullptr) { give_back(); }
    }

    /// Returns: `size` bytes, of which the first `kept` are as they were. Throws: std::bad_alloc.
    [[nodiscard]] std::span<std::byte> make_room(std::size_t size, std::size_t kept = 0) {
        if (size > room_.size()) [[unlikely]] { grow(size, kept); }
        return room_.first(size);
    }
    [[nodiscard]] std::span<std::byte> room() const noexcept { return room_; }

    /// A Writer::Grow; owner: the MessageBuffer.
    [[nodiscard]] static std::span<std::byte> grow_for_writer(void* owner, std::span<std::byte> current,
                                                              std::size_t used, std::size_t need);

private:
    /// Effects: makes room for `size` bytes or more, and keeps the first `used` ones.
    void grow(std::size_t size, std::size_t used);
    void give_back() noexcept;

    std::byte small_[256];
    std::span<std::byte> room_;
    std::unique_ptr<std::byte[]> large_;
};

}  // namespace procpool::detail::channel

#if PROCPOOL_BODIES
#include <procpool/channel/message_buffer.ipp>
#endif

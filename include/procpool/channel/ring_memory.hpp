// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// RingMemory: the bytes of a queue's items, in the order of the items.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace procpool::inline v0::detail::channel {

/// A range of memory that is used round and round. Positions count the bytes from the beginning of time, modulo 2^32;
/// an item may go on at the range's start. Pages are made usable before they are written for the first time. Which
/// bytes are in use is not noted here.
class RingMemory {
public:
    RingMemory() noexcept = default;
    /// size: a power of two up to 1 GiB.
    RingMemory(std::byte* memory, std::uint32_t size) noexcept : memory_(memory), size_(size) {}

    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    /// The first position after `position` that lies at the range's start; items of a queue that is mostly empty lie
    /// there, so that few pages are ever used.
    [[nodiscard]] std::uint32_t next_start(std::uint32_t position) const noexcept {
        return (position + size_ - 1) & ~(size_ - 1);
    }

    /// Effects: makes [position, position + size) usable. Throws: SharedMemoryExhausted. Called by: one at a time.
    void prepare(std::uint32_t position, std::uint32_t size) {
        const std::uint32_t begin = position & (size_ - 1);
        const std::uint32_t end = size > size_ - begin ? size_ : begin + size;
        if (end > usable_) [[unlikely]] { make_usable(end); }
    }

    /// Requires: prepare().
    void write(std::uint32_t position, std::span<const std::byte> bytes) noexcept {
        if (bytes.empty()) { return; }
        const std::size_t first = until_wrap(position, bytes.size());
        std::memcpy(memory_ + (position & (size_ - 1)), bytes.data(), first);
        if (first != bytes.size()) { std::memcpy(memory_, bytes.data() + first, bytes.size() - first); }
    }
    void read(std::uint32_t position, std::span<std::byte> to) const noexcept {
        if (to.empty()) { return; }
        const std::size_t first = until_wrap(position, to.size());
        std::memcpy(to.data(), memory_ + (position & (size_ - 1)), first);
        if (first != to.size()) { std::memcpy(to.data() + first, memory_, to.size() - first); }
    }

private:
    /// Returns: how many of so many bytes lie before the range's end.
    [[nodiscard]] std::size_t until_wrap(std::uint32_t position, std::size_t size) const noexcept {
        const std::uint32_t left = size_ - (position & (size_ - 1));
        return size < left ? size : left;
    }
    void make_usable(std::uint32_t end);

    std::byte* memory_ = nullptr;
    std::uint32_t size_ = 0;
    std::uint32_t usable_ = 0;  // bytes from the start
};

}  // namespace procpool::detail::channel

#if PROCPOOL_BODIES
#include <procpool/channel/ring_memory.ipp>
#endif

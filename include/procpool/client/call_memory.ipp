// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/call_memory.hpp>

#include <procpool/client/client.hpp>
#include <procpool/core/error.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL CallMemory::CallMemory(Client& client) : client_(client), call_(client.next_call()) {}

PROCPOOL_DECL CallMemory::~CallMemory() {
    if (!empty() && client_.is_mine()) { release(); }
}

PROCPOOL_DECL const std::byte* CallMemory::data() const noexcept {
    return client_.board().arguments.extents().address(memory_);
}

PROCPOOL_DECL std::span<std::byte> CallMemory::grow(void* self, std::span<std::byte> current, std::size_t used,
                                                    std::size_t need) {
    auto& memory = *static_cast<CallMemory*>(self);
    const std::span<const std::byte> written = current.first(used);
    try {
        if (!memory.empty()) { return memory.move_to(std::max(need, 2 * current.size()), written); }
    } catch (const SharedMemoryExhausted&) {  // there may be enough for what is needed now
    }
    return memory.move_to(need, written);
}

/// Effects: there is memory of that size, which begins with what is written.
PROCPOOL_DECL std::span<std::byte> CallMemory::move_to(std::size_t size, std::span<const std::byte> written) {
    const task::Extents::Run larger = client_.acquire_for_call(call_, size);
    std::byte* const begin = client_.board().arguments.extents().address(larger);
    if (!written.empty()) { std::memcpy(begin, written.data(), written.size()); }
    release();
    memory_ = larger;
    return {begin, larger.count * task::Extents::extent_size};
}

PROCPOOL_DECL void CallMemory::trim(std::size_t size) noexcept {
    const auto needed = static_cast<std::uint32_t>(
        std::max<std::size_t>(1, size / task::Extents::extent_size + (size % task::Extents::extent_size != 0 ? 1 : 0)));
    if (needed >= memory_.count) { return; }
    client_.board().arguments.extents().release({memory_.first + needed, memory_.count - needed});
    memory_.count = needed;
}

PROCPOOL_DECL void CallMemory::release() noexcept {
    if (memory_.count != 0) { client_.board().arguments.extents().release(std::exchange(memory_, {0, 0})); }
}

}  // namespace procpool::detail::client

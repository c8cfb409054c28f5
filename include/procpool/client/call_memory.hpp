// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// CallMemory: argument memory that belongs to no slot, while something is encoded into it.

#include <procpool/core/config.hpp>
#include <procpool/task/extents.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace procpool::inline v0::detail::client {

class Client;

/// Common reading of many tasks has a number and argument memory of its own, which the parent alone writes, before the
/// first task that refers to it is submitted, and which stays until no task reads it any more. There is no task in it
/// that anybody would look for. Other machines have a copy, under the same number. Called by: parent, one thread.
class CallMemory {
public:
    explicit CallMemory(Client& client);
    CallMemory(const CallMemory&) = delete;
    CallMemory& operator=(const CallMemory&) = delete;
    /// In a forked child it does nothing.
    ~CallMemory();

    [[nodiscard]] std::uint64_t call() const noexcept { return call_; }
    [[nodiscard]] bool empty() const noexcept { return memory_.count == 0; }
    [[nodiscard]] task::Extents::Run run() const noexcept { return memory_; }
    [[nodiscard]] const std::byte* data() const noexcept;

    /// As Writer::Grow, for an owner that is a CallMemory. Throws: SharedMemoryExhausted.
    static std::span<std::byte> grow(void* self, std::span<std::byte> current, std::size_t used, std::size_t need);
    /// Effects: gives back what is not needed for that many bytes.
    void trim(std::size_t size) noexcept;
    /// Effects: gives all of it back. Requires: no task refers to it.
    void release() noexcept;
    /// Returns: the memory, which the caller ends by Client::end_call().
    [[nodiscard]] task::Extents::Run detach() noexcept { return std::exchange(memory_, {0, 0}); }

private:
    [[nodiscard]] std::span<std::byte> move_to(std::size_t size, std::span<const std::byte> written);

    Client& client_;
    const std::uint64_t call_;
    task::Extents::Run memory_{0, 0};
};

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/call_memory.ipp>
#endif

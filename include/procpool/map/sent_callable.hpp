// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// SentCallable: the function object of a call over many items, encoded once, as its chunks bring it.

#include <procpool/client/call_memory.hpp>
#include <procpool/client/pinned_values.hpp>
#include <procpool/client/reference.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/map/kept.hpp>
#include <procpool/map/wire.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace procpool::inline v0::detail::map {

/// A small one is copied into each chunk. A large one lies in a CallMemory; without memory for that, it is encoded into
/// each chunk. Called by: parent, the call's thread.
class SentCallable {
public:
    explicit SentCallable(client::Client& client);

    /// Effects: writes the callable, or where it is, and says in the head which. encode: writes the callable. Throws:
    /// any exception of `encode`; SharedMemoryExhausted.
    void write(Writer& out, ChunkHead& head, client::Encode encode);

    /// Effects: the task whose arguments `out` writes refers to the callable, too, if any does. Called by: who writes
    /// anew what write() has written.
    void refer_from(const Writer& out) const noexcept;

    /// Effects, Throws: as Client::end_call().
    void end(std::vector<client::Ticket> readers);

private:
    enum class Sent { not_yet, copied, shared, anew };

    [[nodiscard]] Sent encode_once(client::Encode encode);
    [[nodiscard]] client::Reference memory() const noexcept {
        return {memory_.call(), reinterpret_cast<std::uintptr_t>(bytes_.data()), bytes_.size()};
    }

    client::Client& client_;
    Sent sent_ = Sent::not_yet;
    std::array<std::byte, largest_copied> small_;
    client::CallMemory memory_;
    client::PinnedValues values_;  // what the bytes refer to
    std::span<const std::byte> bytes_;
};

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/sent_callable.ipp>
#endif

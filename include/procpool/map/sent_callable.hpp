// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// SentCallable: the function object of a call over many items, encoded once, as its chunks bring it.

#include <procpool/client/submission.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/map/kept.hpp>
#include <procpool/map/wire.hpp>
#include <procpool/task/extents.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace procpool::inline v0::detail::map {

/// A small one is copied into each chunk. For a large one the call has argument memory of its own, which the parent
/// alone writes, before the first chunk that refers to it is submitted, and which stays until no chunk reads it any
/// more. It belongs to no slot: there is no task in it that anybody would look for. Without memory for that, it is
/// encoded into each chunk. Called by: parent, the call's thread.
class SentCallable {
public:
    explicit SentCallable(client::Client& client);

    /// Effects: writes the callable, or where it is, and says in the head which. encode: writes the callable. Throws:
    /// any exception of `encode`; SharedMemoryExhausted.
    void write(Writer& out, ChunkHead& head, client::Encode encode);

    /// Effects, Throws: as Client::end_call().
    void end(std::vector<client::Ticket> readers);

private:
    enum class Sent { not_yet, copied, shared, anew };

    [[nodiscard]] Sent encode_once(client::Encode encode);
    static std::span<std::byte> grow(void* self, std::span<std::byte> current, std::size_t used, std::size_t need);
    [[nodiscard]] std::span<std::byte> move_to(std::size_t size, std::span<const std::byte> written);
    void release() noexcept;

    client::Client& client_;
    const std::uint64_t call_;
    Sent sent_ = Sent::not_yet;
    std::array<std::byte, largest_copied> small_;
    task::Extents::Run memory_{0, 0};
    std::span<const std::byte> bytes_;
};

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/sent_callable.ipp>
#endif

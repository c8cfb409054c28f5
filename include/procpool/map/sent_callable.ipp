// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/sent_callable.hpp>

#include <procpool/client/client.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/error.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL SentCallable::SentCallable(client::Client& client) : client_(client), call_(client.next_call()) {}

PROCPOOL_DECL void SentCallable::write(Writer& out, ChunkHead& head, client::Encode encode) {
    if (sent_ == Sent::not_yet) { sent_ = encode_once(encode); }
    if (sent_ == Sent::shared) {
        head.flags |= ChunkHead::refers;
        codec::encode_plain(out, CallablePlace{reinterpret_cast<std::uint64_t>(bytes_.data()), bytes_.size(), call_});
    } else if (sent_ == Sent::copied) {
        out.write(bytes_.data(), bytes_.size());
    } else {
        encode(out);
    }
}

PROCPOOL_DECL void SentCallable::end(std::vector<client::Ticket> readers) {
    if (sent_ == Sent::shared) { client_.end_call(memory_, std::move(readers)); }
}

PROCPOOL_DECL SentCallable::Sent SentCallable::encode_once(client::Encode encode) {
    Writer out{small_, grow, this, client_.place_of()};
    try {
        encode(out);
    } catch (const SharedMemoryExhausted&) {
        release();
        return Sent::anew;
    } catch (...) {
        release();
        throw;
    }
    bytes_ = out.buffer().first(out.size());
    return memory_.count != 0 ? Sent::shared : Sent::copied;
}

PROCPOOL_DECL std::span<std::byte> SentCallable::grow(void* self, std::span<std::byte> current, std::size_t used,
                                                      std::size_t need) {
    auto& sent = *static_cast<SentCallable*>(self);
    const std::span<const std::byte> written = current.first(used);
    try {
        if (sent.memory_.count != 0) { return sent.move_to(std::max(need, 2 * current.size()), written); }
    } catch (const SharedMemoryExhausted&) {  // there may be enough for what is needed now
    }
    return sent.move_to(need, written);
}

/// Effects: the callable has memory of that size, which begins with what is written.
PROCPOOL_DECL std::span<std::byte> SentCallable::move_to(std::size_t size, std::span<const std::byte> written) {
    if (client_.board().has_companion()) { throw SharedMemoryExhausted{size}; }  // other machines do not have it
    const task::Extents::Run larger = client_.acquire_for_call(call_, size);
    std::byte* const begin = client_.board().arguments.extents().address(larger);
    std::memcpy(begin, written.data(), written.size());
    release();
    memory_ = larger;
    return {begin, larger.count * task::Extents::extent_size};
}

PROCPOOL_DECL void SentCallable::release() noexcept {
    if (memory_.count != 0) { client_.board().arguments.extents().release(std::exchange(memory_, {0, 0})); }
}

}  // namespace procpool::detail::map

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/sent_callable.hpp>

#include <procpool/client/client.hpp>
#include <procpool/client/encoding.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/error.hpp>

#include <utility>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL SentCallable::SentCallable(client::Client& client) : client_(client), memory_(client) {}

PROCPOOL_DECL void SentCallable::write(Writer& out, ChunkHead& head, client::Encode encode) {
    if (sent_ == Sent::not_yet) { sent_ = encode_once(encode); }
    if (sent_ == Sent::anew) { return encode(out); }
    if (!values_.empty()) {
        if (const client::Encoding* const chunk = client::Encoding::of(out)) { chunk->values().add_all(values_); }
    }
    if (sent_ == Sent::shared) {
        head.flags |= ChunkHead::refers;
        const client::Reference place = memory();
        codec::encode_plain(out, CallablePlace{place.address, place.size, place.number});
        refer_from(out);
    } else {
        out.write(bytes_.data(), bytes_.size());
    }
}

PROCPOOL_DECL void SentCallable::refer_from(const Writer& out) const noexcept {
    if (sent_ != Sent::shared) { return; }
    if (client::Encoding* const chunk = client::Encoding::of(out)) { chunk->set_common(memory()); }
}

PROCPOOL_DECL void SentCallable::end(std::vector<client::Ticket> readers) {
    if (sent_ != Sent::shared) { return; }
    client_.end_call(memory_.run(), std::move(readers));
    static_cast<void>(memory_.detach());
}

PROCPOOL_DECL SentCallable::Sent SentCallable::encode_once(client::Encode encode) {
    Writer out{small_, client::CallMemory::grow, &memory_, client_.place_of()};
    try {
        const client::Encoding inner{client_, out, values_, client::Encoding::For::call};
        encode(out);
    } catch (const SharedMemoryExhausted&) {
        memory_.release();
        return Sent::anew;
    } catch (...) {
        memory_.release();
        throw;
    }
    bytes_ = out.buffer().first(out.size());
    return memory_.empty() ? Sent::copied : Sent::shared;
}

}  // namespace procpool::detail::map

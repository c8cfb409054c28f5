// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/read_items.hpp>

#include <procpool/client/client.hpp>
#include <procpool/client/encoding.hpp>
#include <procpool/core/error.hpp>
#include <procpool/map/wire.hpp>
#include <procpool/persist/checksum.hpp>
#include <procpool/persist/lasting.hpp>

#include <cstring>
#include <string>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL ReadItems::ReadItems(client::Client& client, bool framed)
    : client_(client),
      framed_(framed),
      out_(bytes_, codec::grow_vector, &bytes_, client.place_of()),
      known_(known_bytes_, codec::grow_vector, &known_bytes_, persist::visibility_in_another_run) {}

PROCPOOL_DECL void ReadItems::begin(std::size_t first) noexcept {
    first_ = first;
    out_.rewind(0);
    ends_.clear();
    checksums_.clear();
    values_ = {};
}

PROCPOOL_DECL void ReadItems::add(client::Encode encode, client::Encode known) {
    const std::size_t start = out_.size();
    std::uint64_t frame = 0;
    try {
        const client::Encoding for_workers{client_, out_, values_, client::Encoding::For::call};
        if (framed_) {
            encode_framed(out_, true, [&] { encode(out_); });
            std::memcpy(&frame, out_.buffer().data() + start, sizeof frame);
        } else {
            encode(out_);
        }
        known_.rewind(0);
        if ((frame & item_is_error) == 0) { write_known(known); }
        checksums_.push_back(persist::checksum_of(known_.buffer().first(known_.size())));
    } catch (...) {
        out_.rewind(start);
        throw;
    }
    ends_.push_back(out_.size());
}

PROCPOOL_DECL void ReadItems::write_known(client::Encode known) {
    try {
        known(known_);
    } catch (const CodecError& e) {
        throw CodecError(
            std::string("procpool: a journal cannot tell whether such an item is the same in another run: ") +
            e.what());
    }
}

PROCPOOL_DECL std::size_t ReadItems::write(Writer& out, std::size_t i, std::size_t count) const {
    if (!values_.empty()) {
        if (const client::Encoding* const chunk = client::Encoding::of(out)) { chunk->values().add_all(values_); }
    }
    std::size_t start = i == 0 ? 0 : ends_[i - 1];
    std::size_t written = 0;
    std::size_t whole = out.size();
    try {
        for (; written < count; ++written) {
            const std::size_t end = ends_[i + written];
            out.write(bytes_.data() + start, end - start);
            start = end;
            whole = out.size();
        }
    } catch (const SharedMemoryExhausted&) {
        if (written == 0) { throw; }
        out.rewind(whole);
    }
    return written;
}

}  // namespace procpool::detail::map

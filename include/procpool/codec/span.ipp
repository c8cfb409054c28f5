// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/length.hpp>
#include <procpool/codec/span.hpp>
#include <procpool/core/error.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace procpool::inline v0::detail::codec {

[[gnu::cold]] PROCPOOL_DECL void refuse_span(const char* why) {
    throw CodecError(std::string("procpool: the bytes of a span ") + why);
}

PROCPOOL_DECL bool* decode_bools(Reader& in, std::size_t& count) {
    count = decode_length(in);
    const std::byte* const bytes = in.take(count);
    bool* const first = in.keep(std::make_unique<bool[]>(count)).get();
    for (std::size_t i = 0; i != count; ++i) { first[i] = bytes[i] != std::byte{0}; }
    return first;
}

}  // namespace procpool::detail::codec

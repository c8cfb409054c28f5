// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/span.hpp>
#include <procpool/core/error.hpp>

#include <string>

namespace procpool::inline v0::detail::codec {

[[gnu::cold]] PROCPOOL_DECL void refuse_span(const char* why) {
    throw CodecError(std::string("procpool: the bytes of a span ") + why);
}

}  // namespace procpool::detail::codec

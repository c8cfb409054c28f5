// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/length.hpp>
#include <procpool/core/error.hpp>

namespace procpool::inline v0::detail::codec {

[[gnu::cold]] PROCPOOL_DECL void refuse_length() {
    throw CodecError("procpool: a length is greater than what follows it");
}

}  // namespace procpool::detail::codec

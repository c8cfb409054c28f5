// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/codec.hpp>
#include <procpool/core/error.hpp>

namespace procpool::inline v0::detail::codec {

[[gnu::cold]] PROCPOOL_DECL void refuse_bool() {
    throw CodecError("procpool: the bytes of a bool are neither true nor false");
}

}  // namespace procpool::detail::codec

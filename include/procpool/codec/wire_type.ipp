// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/wire_type.hpp>
#include <procpool/core/error.hpp>

namespace procpool::inline v0::detail::codec {

[[gnu::cold]] PROCPOOL_DECL void refuse_null_text() {
    throw CodecError("procpool: a null pointer is no text that could travel as a std::string");
}

}  // namespace procpool::detail::codec

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/call.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/type_name.hpp>

namespace procpool::inline v0::detail::codec {

[[gnu::cold]] PROCPOOL_DECL void refuse_span_of_task(const std::type_info& span) {
    throw CodecError("procpool: the task returned a " + type_name(span) +
                     " of memory that ends with it: return a std::vector");
}

}  // namespace procpool::detail::codec

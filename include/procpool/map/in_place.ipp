// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/in_place.hpp>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL void throw_not_in_shared_memory() {
    throw CodecError(
        "procpool: for_each() with a function that changes its items needs them in shared memory: use a SharedArray, "
        "or map()");
}

}  // namespace procpool::detail::map

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/map_async.hpp>

#include <procpool/client/client.hpp>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL bool AsyncCallState::request(StopRequest::Kind kind) {
    if (!stop.make(kind)) { return false; }
    client->board().notify_parent();
    return true;
}

}  // namespace procpool::detail::map

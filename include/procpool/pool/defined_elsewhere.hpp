// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// PROCPOOL_DEFINED_IN: a call of a pool that says which header defines it, where that has not been included.

#include <procpool/codec/call.hpp>
#include <procpool/codec/mistake.hpp>

namespace procpool::inline v0::detail {

namespace map {

// Each is complete once the header has been included that defines the calls.
struct BroadcastCall;       // map/broadcast.hpp
struct ImapCalls;           // map/imap.hpp
struct MapAsyncCalls;       // map/map_async.hpp
struct MapCalls;            // map/map.hpp
struct MapReduceByKeyCall;  // map/reduce_by_key.hpp
struct MapReduceCall;       // map/reduce.hpp
struct ScatterCall;         // map/scatter.hpp

}  // namespace map

namespace pool {

/// Whether the calls are defined, where this is asked for that function first.
template <class Calls, class F>
concept IncludedFor = requires {
    sizeof(Calls);
};

}  // namespace pool

}  // namespace procpool::detail

// An overload that is chosen, being constrained, as long as the calls are not defined.
#define PROCPOOL_DEFINED_IN(header, Calls, call, parameters, ...)                                        \
    template <__VA_ARGS__>                                                                               \
    requires(!detail::pool::IncludedFor<Calls, F>) auto call parameters {                                \
        static_assert(detail::codec::never<F>,                                                           \
                      "procpool: this call is defined in a header of its own: include <procpool/" header \
                      ">, or all of <procpool/procpool.hpp>");                                           \
        return detail::codec::this_call_is_refused{};                                                    \
    }

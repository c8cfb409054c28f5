// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Function objects of calls over many items: those that are sent once for the call, and those that workers keep.

#include <procpool/codec/call.hpp>
#include <procpool/codec/callable.hpp>

#include <cstddef>
#include <type_traits>

namespace procpool::inline v0::detail::map {

/// Function objects of up to so many bytes are copied into each chunk, and decoded for it: that costs less than to look
/// for one that is kept.
inline constexpr std::size_t largest_copied = 512;

template <class F>
inline constexpr bool may_be_large_v = codec::most_bytes_v<F> > largest_copied;

/// Whether a worker keeps an F that it has decoded for the later chunks of the call, where it is large. One that calls
/// may change is decoded for each chunk, whatever its size. in_place: it is called with an Item&.
template <class F, class Item, bool in_place>
inline constexpr bool is_kept_v = [] {
    if constexpr (!may_be_large_v<F>) {
        return false;
    } else if constexpr (in_place) {
        return std::is_invocable_v<const F&, Item&>;
    } else {
        return codec::calls_const_v<F, Item>;
    }
}();

}  // namespace procpool::detail::map

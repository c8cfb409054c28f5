// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The needs of a call whose function changes its items in place.

#include <procpool/client/submission.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/core/error.hpp>
#include <procpool/map/input.hpp>

#include <cstddef>
#include <span>
#include <type_traits>

namespace procpool::inline v0::detail::map {

/// Does not compile, and says why, unless F can travel, and the values of those Ranges that are repeat()s: the items
/// stay where they are. Requires: want_in_place_v.
template <class F, class... Ranges>
constexpr void require_in_place() {
    codec::require_sendable<F>();
    const auto require = []<class Range>(std::type_identity<Range>) {
        if constexpr (is_repeat_v<std::remove_cvref_t<Range>>) {
            codec::require_travels<codec::wire_type_t<argument_t<Range>>>();
        } else {
            static_assert(std::is_trivially_copyable_v<std::ranges::range_value_t<Range>>,
                          "procpool: for_each() changes trivially copyable elements only");
        }
    };
    (require(std::type_identity<Ranges>{}), ...);
}

[[noreturn]] void throw_not_in_shared_memory();

/// Returns: the items, where the workers change them. Throws: CodecError when they are in memory that workers do not
/// share.
template <class Range>
[[nodiscard]] auto items_in_place(const client::Client& client, Range& range) {
    const std::span items{std::ranges::data(range), static_cast<std::size_t>(std::ranges::size(range))};
    if (!items.empty() && !is_shared(items, client::place_of(client))) { throw_not_in_shared_memory(); }
    return items;
}

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/in_place.ipp>
#endif

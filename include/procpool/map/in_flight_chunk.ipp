// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/in_flight_chunk.hpp>

#include <cstring>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL bool InFlightChunk::go_on_from(std::size_t from, std::span<const std::byte> sent,
                                             std::span<const std::byte> carry) {
    if (arguments.empty()) { arguments.assign(sent.begin(), sent.end()); }  // its slot may be needed for it
    if (arguments.size() != argument_bytes) { return false; }
    arguments.resize(arguments.size() - head.carry);
    arguments.insert(arguments.end(), carry.begin(), carry.end());
    argument_bytes = arguments.size();
    head.carry = carry.size();
    head.skip = from;
    head.attempt = casualty == nobody || from > casualty ? 0 : attempt;
    std::memcpy(arguments.data(), &head, sizeof head);
    return true;
}

}  // namespace procpool::detail::map

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/listed_references.hpp>

#include <procpool/client/client.hpp>
#include <procpool/client/encoding.hpp>
#include <procpool/client/stored_value.hpp>  // which may be under way: it has reference_of()
#include <procpool/codec/plain.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/core/error.hpp>
#include <procpool/task/board.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL std::span<const std::byte> bytes_here(const task::Board& board, const Reference& reference) {
    const auto* begin = reinterpret_cast<const std::byte*>(reference.address);
    if (board.control.has_copies) {
        begin = board.arguments.extents().find_call(reference.number);
        if (begin == nullptr) { throw CodecError("procpool: what a task refers to is not on its machine"); }
    }
    return {begin, static_cast<std::size_t>(reference.size)};
}

PROCPOOL_DECL void list_references(Writer& out, Client& client, const Encoding& arguments) {
    std::uint64_t count = arguments.common().number != 0 ? 1 : 0;
    arguments.values().each([&](const void*) { ++count; });
    codec::encode_plain(out, count);
    if (arguments.common().number != 0) { codec::encode_plain(out, arguments.common()); }
    arguments.values().each([&](const void* value) { codec::encode_plain(out, reference_of(value, client)); });
}

PROCPOOL_DECL std::vector<Reference> listed_references(const task::Board& board, std::uint32_t slot) {
    const auto require = [](bool is_right) {
        if (!is_right) { throw Error{"procpool: " + core::sentence(Ending::overwritten, {})}; }
    };
    const std::span<const std::byte> list = board.arguments.behind(slot);
    require(list.size() >= sizeof(std::uint64_t));
    Reader in{list};
    const auto count = codec::decode_plain<std::uint64_t>(in);
    require(count <= in.remaining() / sizeof(Reference));
    std::vector<Reference> all(static_cast<std::size_t>(count));
    for (Reference& one : all) {
        one = codec::decode_plain<Reference>(in);
        require(board.arguments.extents().hold_of_call(one.address, one.size, one.number));
    }
    std::ranges::sort(all, {}, &Reference::number);
    const auto is_same = [](const Reference& a, const Reference& b) { return a.number == b.number; };
    all.erase(std::unique(all.begin(), all.end(), is_same), all.end());
    return all;
}

}  // namespace procpool::detail::client

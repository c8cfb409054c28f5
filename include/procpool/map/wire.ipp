// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/wire.hpp>

#include <procpool/codec/exception.hpp>
#include <procpool/core/error.hpp>

#include <cstring>
#include <exception>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL bool ChunkReport::is_credible(const ChunkHead& head, std::size_t bytes) const noexcept {
    const auto is_one_of_it = [&](std::uint64_t item) { return item >= head.skip && item <= head.count; };
    // The error may be yet to come: where its worker died, the report may tell of more than was sealed.
    return is_one_of_it(completed) &&
           (error_at == 0 || error_at >= bytes ||
            (error_at >= sizeof(ChunkReport) && is_one_of_it(failed_item) && failed_item < head.count));
}

PROCPOOL_DECL std::size_t begin_frame(Writer& out) {
    const std::size_t start = out.size();
    codec::encode_plain(out, std::uint64_t{0});
    return start;
}

PROCPOOL_DECL void end_frame(Writer& out, std::size_t start) noexcept {
    const std::uint64_t size = out.size() - start - sizeof size;
    std::memcpy(out.buffer().data() + start, &size, sizeof size);
}

PROCPOOL_DECL void end_frame_with_error(Writer& out, std::size_t start, bool has_all_room) {
    try {
        throw;
    } catch (const SharedMemoryExhausted&) {
        if (!has_all_room) { throw; }
    } catch (...) {}
    out.rewind(start + sizeof(std::uint64_t));
    codec::encode_exception(out, std::current_exception());
    const std::uint64_t size = (out.size() - start - sizeof size) | item_is_error;
    std::memcpy(out.buffer().data() + start, &size, sizeof size);
}

PROCPOOL_DECL Reader take_framed(Reader& in) {
    const auto size = codec::decode_plain<std::uint64_t>(in);
    const auto bytes = static_cast<std::size_t>(size & ~item_is_error);
    const std::byte* const at = in.take(bytes);
    if ((size & item_is_error) != 0) {
        Reader error{std::span<const std::byte>{at, bytes}};
        std::rethrow_exception(codec::decode_exception(error));
    }
    return Reader{std::span<const std::byte>{at, bytes}};
}

PROCPOOL_DECL void skip_framed(Reader& in) {
    static_cast<void>(in.take(static_cast<std::size_t>(codec::decode_plain<std::uint64_t>(in) & ~item_is_error)));
}

}  // namespace procpool::detail::map

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/bytes.hpp>
#include <procpool/core/error.hpp>

#include <algorithm>
#include <vector>

namespace procpool::inline v0 {

PROCPOOL_DECL std::span<std::byte> detail::codec::grow_vector(void* owner, std::span<std::byte>, std::size_t,
                                                              std::size_t need) {
    auto& bytes = *static_cast<std::vector<std::byte>*>(owner);
    bytes.resize(std::max(need, 2 * bytes.size()));
    return bytes;
}

// Out of line, so that claim() is in line, and a copy of a few bytes is one instruction.
[[gnu::noinline]] PROCPOOL_DECL void Writer::reserve(std::size_t more) {
    if (more > SIZE_MAX - used_) { throw CodecError("procpool: a value is too large to travel"); }
    if (more > buffer_.size() - used_) { buffer_ = grow_(owner_, buffer_, used_, used_ + more); }
}

[[gnu::noinline]] PROCPOOL_DECL void Writer::go_on(std::size_t count) {
    nesting_.check();
    reserve(count);
    checked_ = used_ + count + Nesting::bytes_to_check(buffer_.size() - used_ - count);
}

[[gnu::noinline]] PROCPOOL_DECL Reader::Checked Reader::go_on(std::size_t count, const std::byte* at,
                                                              const std::byte* end, Nesting nesting) {
    const auto remaining = static_cast<std::size_t>(end - at);
    if (count > remaining) { throw CodecError("procpool: the bytes of a value end too early"); }
    nesting.check();
    return {at + count + Nesting::bytes_to_check(remaining - count), nesting};
}

[[gnu::noinline]] PROCPOOL_DECL void Reader::release(Kept* last) noexcept {
    while (last != nullptr) {
        Kept* const before = last->before;
        last->destroy(last);
        last = before;
    }
}

}  // namespace procpool

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/channel/ring_memory.hpp>
#include <procpool/os/memory.hpp>

#include <algorithm>

namespace procpool::inline v0::detail::channel {

[[gnu::cold]] PROCPOOL_DECL void RingMemory::make_usable(std::uint32_t end) {
    constexpr std::uint32_t piece = std::uint32_t{256} << 10;  // a look at the free memory costs as much as some pages
    const std::uint32_t more = std::min(size_, (end + piece - 1) / piece * piece);
    os::commit(memory_ + usable_, more - usable_);
    usable_ = more;
}

}  // namespace procpool::detail::channel

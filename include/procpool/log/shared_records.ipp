// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/platform.hpp>
#include <procpool/log/shared_records.hpp>
#include <procpool/os/memory.hpp>

#include <algorithm>
#include <cstddef>

namespace procpool::inline v0::detail::log {

PROCPOOL_DECL SharedRecords& SharedRecords::ensure() {
    SharedRecords* const seen = current();
    return seen != nullptr ? *seen : own();
}

PROCPOOL_DECL SharedRecords& SharedRecords::own() {
    constexpr std::size_t trace_bytes = std::size_t{128} << 20;  // a million records
    struct Shared {
        Journal journal;
        Trace::Words trace;
    };
    constexpr std::size_t least = round_up(sizeof(Shared), os::page_size) + (std::size_t{1} << 20);
    os::Mapping region;  // given back when another thread was faster
    return newest_.get(
        [&] {
            region = os::Mapping::reserve(std::max(least, std::min(trace_bytes, os::generous_reservation())), least);
            auto& shared = *reinterpret_cast<Shared*>(region.data());
            constexpr std::size_t used = round_up(sizeof(Shared), apart);
            auto* const fresh = new SharedRecords{shared.journal};
            shared.journal.reader.reset();
            fresh->trace.attach(
                {reinterpret_cast<Trace::Place*>(region.data() + used), (region.size() - used) / sizeof(Trace::Place)},
                shared.trace);
            return fresh;
        },
        [&](SharedRecords&) { region.leave(); });
}

}  // namespace procpool::detail::log

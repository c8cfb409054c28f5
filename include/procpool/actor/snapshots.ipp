// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/actor/snapshots.hpp>

#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/worker/process.hpp>

#include <algorithm>
#include <string>

namespace procpool::inline v0::detail::actor {

PROCPOOL_DECL Snapshots::Snapshots(std::size_t bytes)
    : bytes_(round_up(bytes, os::page_size)),
      memory_(os::page_size + 2 * bytes_) {}

/// Gives a Writer as much of a block as it needs.
struct Snapshots::Growth {
    std::span<std::byte> block;
    std::size_t& committed;
    static std::span<std::byte> grow(void* self, std::span<std::byte> current, std::size_t, std::size_t need) {
        auto& [all, committed] = *static_cast<Growth*>(self);
        if (need > all.size()) {
            throw CodecError("procpool: the object does not fit into ActorOptions::snapshot_bytes, which is " +
                             std::to_string(all.size()));
        }
        const std::size_t size = std::min(all.size(), round_up(std::max(need, 2 * current.size()), os::page_size));
        os::commit(all.data() + committed, size - committed);
        committed = size;
        return all.first(size);
    }
};

PROCPOOL_DECL void Snapshots::save(core::FunctionRef<void(Writer&)> encode) {
    const std::uint64_t number = header().newest.load(std::memory_order_relaxed) + 1;
    Growth growth{block(number), committed_[number % 2]};
    Writer out{growth.block.first(growth.committed), Growth::grow, &growth, worker::place_for_parent};
    encode(out);
    header().sizes[number % 2] = out.size();
    reach(FaultPoint::snapshot_half);
    // release: the bytes come before the word that makes them count.
    header().newest.store(number, std::memory_order_release);
}

PROCPOOL_DECL std::span<const std::byte> Snapshots::newest() const noexcept {
    const std::uint64_t number = header().newest.load(std::memory_order_acquire);
    if (number == 0) { return {}; }
    return block(number).first(std::min<std::size_t>(header().sizes[number % 2], bytes_));
}

}  // namespace procpool::detail::actor

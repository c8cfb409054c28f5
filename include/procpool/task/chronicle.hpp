// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Chronicle: a journal and a trace in shared memory that all processes of a program have, pools within tasks included.

#include <procpool/os/identity.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/task/journal.hpp>
#include <procpool/task/trace.hpp>

#include <atomic>
#include <cstddef>

namespace procpool::task {

/// Made before the first pool forks, so that a sink or a trace that is asked for later finds workers that have it. Never destroyed:
/// statics of the program may log to the end. It costs address space until it is used.
struct Chronicle {
    Journal journal;
    Trace trace;
    os::Token owner;  ///< the process that made it

    /// Returns: the chronicle of this process, or the one it inherited; null when there is none.
    /// Memory order: acquire: what was made is visible.
    [[nodiscard]] static Chronicle* current() noexcept { return newest_.load(std::memory_order_acquire); }

    /// Returns: as current(), but makes one when there is none. Throws: SharedMemoryExhausted.
    [[nodiscard]] static Chronicle& ensure() {
        Chronicle* seen = current();
        return seen != nullptr ? *seen : make(seen);
    }

    /// Returns: one that this process made itself. Throws: SharedMemoryExhausted.
    [[nodiscard]] static Chronicle& own() {
        Chronicle* seen = current();
        return seen != nullptr && os::is_process(seen->owner) ? *seen : make(seen);
    }

private:
    [[nodiscard]] static Chronicle& make(Chronicle* seen) {
        constexpr std::size_t trace_bytes = std::size_t{128} << 20;  // a million records
        constexpr std::size_t least = round_up(sizeof(Chronicle), os::page_size) + (std::size_t{1} << 20);
        os::Mapping region = os::Mapping::reserve(std::max(least, std::min(trace_bytes, os::generous_reservation())), least);
        auto* const fresh = reinterpret_cast<Chronicle*>(region.data());
        constexpr std::size_t used = round_up(sizeof(Chronicle), apart);
        fresh->owner = os::process_token();
        fresh->journal.reader.reset();
        fresh->trace.attach({reinterpret_cast<Trace::Place*>(region.data() + used), (region.size() - used) / sizeof(Trace::Place)});
        // acq_rel: publishes what was made; a loser's was never seen by anybody.
        const Chronicle* const before = seen;
        while (!newest_.compare_exchange_strong(seen, fresh, std::memory_order_acq_rel, std::memory_order_acquire)) {
            if (seen != before) { return *seen; }
        }
        region.leave();
        return *fresh;
    }

    static inline constinit std::atomic<Chronicle*> newest_{nullptr};
};

}  // namespace procpool::task

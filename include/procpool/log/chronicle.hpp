// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Chronicle: a journal and a trace in shared memory that all processes of a program have, pools within tasks included.

#include <procpool/log/journal.hpp>
#include <procpool/log/trace.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/memory.hpp>

#include <atomic>
#include <cstddef>
#include <memory>

namespace procpool::inline v0::detail::log {

/// Made before the first pool forks, so that a sink or a trace that is asked for later finds workers that have it.
/// Never destroyed: statics of the program may log to the end. It costs address space until it is used. Each process
/// has its own copy of where things are, so that no task changes that for others.
struct Chronicle {
    Journal& journal;
    Trace trace;
    os::Token owner;  ///< the process that made it

    /// Returns: the chronicle of this process, or the one it inherited; null when there is none.
    /// Memory order: acquire: what was made is visible.
    [[nodiscard]] static Chronicle* current() noexcept { return newest_.load(std::memory_order_acquire); }

    /// Returns: as current(), but makes one when there is none. Throws: SharedMemoryExhausted, std::bad_alloc.
    [[nodiscard]] static Chronicle& ensure() {
        Chronicle* seen = current();
        return seen != nullptr ? *seen : make(seen);
    }

    /// Returns: one that this process made itself. Throws: SharedMemoryExhausted, std::bad_alloc.
    [[nodiscard]] static Chronicle& own() {
        Chronicle* seen = current();
        return seen != nullptr && os::is_process(seen->owner) ? *seen : make(seen);
    }

private:
    [[nodiscard]] static Chronicle& make(Chronicle* seen) {
        constexpr std::size_t trace_bytes = std::size_t{128} << 20;  // a million records
        struct Shared {
            Journal journal;
            Trace::Words trace;
        };
        constexpr std::size_t least = round_up(sizeof(Shared), os::page_size) + (std::size_t{1} << 20);
        os::Mapping region =
            os::Mapping::reserve(std::max(least, std::min(trace_bytes, os::generous_reservation())), least);
        auto& shared = *reinterpret_cast<Shared*>(region.data());
        constexpr std::size_t used = round_up(sizeof(Shared), apart);
        std::unique_ptr<Chronicle> fresh{new Chronicle{shared.journal, Trace{}, os::process_token()}};
        fresh->journal.reader.reset();
        fresh->trace.attach(
            {reinterpret_cast<Trace::Place*>(region.data() + used), (region.size() - used) / sizeof(Trace::Place)},
            shared.trace);
        // acq_rel: publishes what was made; a loser's was never seen by anybody.
        const Chronicle* const before = seen;
        while (
            !newest_.compare_exchange_strong(seen, fresh.get(), std::memory_order_acq_rel, std::memory_order_acquire)) {
            if (seen != before) { return *seen; }
        }
        region.leave();
        return *fresh.release();
    }

    static inline constinit std::atomic<Chronicle*> newest_{nullptr};
};

}  // namespace procpool::detail::log

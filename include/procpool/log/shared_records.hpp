// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// SharedRecords: a journal and a trace in shared memory that all processes of a program have, pools within tasks
/// included.

#include <procpool/core/config.hpp>
#include <procpool/log/journal.hpp>
#include <procpool/log/trace.hpp>
#include <procpool/os/per_process.hpp>

namespace procpool::inline v0::detail::log {

/// Made before the first pool forks, so that a sink or a trace that is asked for later finds workers that have it.
/// Never destroyed: statics of the program may log to the end. It costs address space until it is used. Each process
/// has its own copy of where things are, so that no task changes that for others.
struct SharedRecords : os::OfOneProcess {
    Journal& journal;
    Trace trace{};

    /// Returns: the records of this process, or those it inherited; null when there are none.
    [[nodiscard]] static SharedRecords* current() noexcept { return newest_.newest(); }

    /// Returns: as current(), but makes them when there are none. Throws: SharedMemoryExhausted, std::bad_alloc.
    [[nodiscard]] static SharedRecords& ensure();

    /// Returns: those that this process made itself. Throws: SharedMemoryExhausted, std::bad_alloc.
    [[nodiscard]] static SharedRecords& own();

private:
    explicit SharedRecords(Journal& memory) : journal(memory) {}

    static inline constinit os::PerProcess<SharedRecords> newest_;
};

}  // namespace procpool::detail::log

#if PROCPOOL_BODIES
#include <procpool/log/shared_records.ipp>
#endif

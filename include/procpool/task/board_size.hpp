// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// BoardSize: what a board has room for. Claim: which task of it a worker runs.

#include <procpool/core/config.hpp>

#include <cstdint>

namespace procpool::inline v0::detail::task {

struct BoardSize {
    std::uint32_t slot_count;
    std::uint32_t seats;
    std::uint32_t parkers;     // of the parent's threads, at most Waiters::most
    std::uint32_t notes = 8;   // bytes for each slot that only the parent writes; the number of its task comes first
    std::uint32_t guests = 0;  // slots for tasks of guests, at most; they come after the others
    bool open_to_all = false;  // see Guests::Places, which explains the next one too
    std::uint64_t id = 1;
    std::uint32_t companion_seats = 0;  // the last of the seats: see worker::Companion
    std::uint32_t indices = 0;          // of workers, with mail of their own; 0: as many as there are seats
    bool shrinks = false;               // workers that are idle leave: see Board::await_demand()
};

/// A task that a worker has claimed.
struct Claim {
    std::uint32_t slot;
    std::uint32_t generation;
};

}  // namespace procpool::detail::task

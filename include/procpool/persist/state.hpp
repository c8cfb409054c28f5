// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// State: the memory that all processes with the same memo map, besides its entries.

#include <procpool/core/platform.hpp>
#include <procpool/sync/robust_lock.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace procpool::inline v0::detail::persist {

/// Counts of one group of processes: apart from those of others, so that they do not wait for each other's line.
struct alignas(apart) Tally {
    std::atomic<std::uint64_t> hits;
    std::atomic<std::uint64_t> misses;
    std::atomic<std::uint64_t> stores;
    std::atomic<std::uint64_t> evictions;
    std::atomic<std::uint64_t> damaged;
};

/// All zero before the first process has made it. Written by: the process that is alone, as the lock on this file
/// tells, everything down to is_made; the holder of `writing` the two words about the file of entries; all processes
/// their tallies, by single steps. A process may die between any two of these: is_made stays 0 then, or the two words
/// differ from the file, which is looked through. A damaged word costs a look more, or the directory (see Environment).
struct State {
    static constexpr std::array<char, 16> own_magic{"procpool memo\n"};
    /// Another one for any change of this struct, or of what entries.hpp writes.
    static constexpr std::uint32_t own_layout = 1;
    static constexpr std::size_t tally_count = 16;

    std::array<char, 16> magic;
    std::uint32_t layout;
    std::array<char, 44> boot;  ///< os::boot_name() when the entries were known to be whole
    /// 0 from when a process is alone until it has made the files: those who waited for it look whether it lived to.
    std::atomic<std::uint32_t> is_made;

    /// The file of entries as the last writer left it: a program that comes first looks whether it still is so.
    std::atomic<std::uint64_t> entries_size;
    std::atomic<std::int64_t> entries_modified;

    /// Held by the one that writes entries; LMDB has a lock for that too, but none that can be waited for with a limit.
    alignas(apart) sync::RobustLock writing;

    std::array<Tally, tally_count> tallies;
};

inline constexpr std::size_t state_bytes = 4096;
static_assert(std::is_standard_layout_v<State> && sizeof(State) <= state_bytes && alignof(State) <= state_bytes);
static_assert(offsetof(State, layout) == State::own_magic.size(),
              "the layout's number stays where programs of all versions look for it");

}  // namespace procpool::detail::persist

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// RegionFile: the anonymous file whose mapping is a pool's shared memory, while this process has it open.

#include <procpool/core/config.hpp>
#include <procpool/os/descriptor.hpp>

#include <sys/types.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace procpool::inline v0::detail::os {

/// A process that has the file open lets others of the same user find it in /proc and read the memory: see view/. A
/// pool's supervisor keeps it open. Its parent does so from create(), or reopen(), to the fork of the supervisor only,
/// and no other child of the library's has it. Where there is none, all works but the view from outside.
class RegionFile {
public:
    /// The beginning of the names that /proc has for such files.
    static constexpr std::string_view prefix = "procpool:";

    /// name: of the pool. wanted: false: there will be no file.
    RegionFile(std::string_view name, bool wanted) noexcept;
    RegionFile(const RegionFile&) = delete;
    RegionFile& operator=(const RegionFile&) = delete;
    ~RegionFile() { close(); }

    /// Effects: makes the file anew, of that size, which nobody can change. Returns: its descriptor; -1 when none is
    /// wanted or to be had.
    [[nodiscard]] int create(std::size_t size) noexcept;
    /// Effects: this process has it no longer. Requires: the caller does not hold os::forking.
    void close() noexcept;
    /// Effects: opens the file again, which the supervisor of that number has open. Best effort. Called by: the process
    /// that has called create(), and has had that child.
    void reopen(pid_t supervisor) noexcept;
    /// Effects: the file stays open in the supervisor alone. Called by: as reopen(), holding os::forking, when it has
    /// forked it.
    void leave_to_child() noexcept;

    /// Effects: closes all but `kept`, which may be null. Called by: a child that was forked by a process holding
    /// os::forking; a worker.
    static void close_inherited(const RegionFile* kept) noexcept;

private:
    void forget() noexcept;
    void open(Descriptor file) noexcept;

    /// Of those that this process has open. Written holding os::forking, so that a child finds none half written.
    static inline constinit std::array<RegionFile*, 64> open_{};

    std::array<char, 48> name_{};
    bool wanted_;
    Descriptor file_;
    int number_ = -1;  // in the supervisor
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
};

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/region_file.ipp>
#endif

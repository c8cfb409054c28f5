// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Other processes as /proc shows them: what they use, and the files in memory that they have open.

#include <procpool/core/config.hpp>
#include <procpool/os/descriptor.hpp>

#include <sys/types.h>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace procpool::inline v0::detail::os {

/// A process at some moment.
struct ProcessUse {
    std::string name;  ///< at most 15 bytes, any
    pid_t parent = 0;
    bool has_ended = false;  ///< and nobody has waited for it yet
    double cpu_seconds = 0;  ///< user and system time of all its threads
    std::uint64_t resident_bytes = 0;
    std::uint64_t shared_bytes = 0;  ///< of these, of files and shared memory
};

/// Returns: nothing when there is no such process, or /proc does not tell. memory: whether its memory is asked for.
[[nodiscard]] std::optional<ProcessUse> use_of_process(pid_t pid, bool memory = true);

/// Returns: the number by which a process is known in its own PID namespace; 0 where /proc does not tell.
[[nodiscard]] pid_t own_number_of(pid_t pid);

/// Returns: the numbers of all processes that there are; nothing where there is no /proc.
[[nodiscard]] std::vector<pid_t> all_processes();

/// An open file of a process.
struct OpenFile {
    pid_t pid;
    int number;
    friend bool operator==(const OpenFile&, const OpenFile&) = default;
};

/// Files in memory, by the numbers of the processes that have them open.
struct OpenFiles {
    std::vector<OpenFile> files;
    std::vector<pid_t> hidden;  ///< processes that may not be looked at
};

/// Returns: the files in memory (memfd_create()) of these processes whose name begins with `prefix`.
[[nodiscard]] OpenFiles files_in_memory(std::string_view prefix, std::span<const pid_t> of);

/// Another process's file in memory, for reading. Its contents may change at any time, and all of it may be anything.
/// Reading never blocks, and costs the other process no memory where it has not written yet.
class MemoryFile {
public:
    /// Returns: none, with errno set, when it may not be opened, has been closed, or is no file in memory: EINVAL.
    [[nodiscard]] static MemoryFile open(OpenFile where) noexcept;

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(file_); }
    /// The same for the same file, as long as it exists.
    [[nodiscard]] std::uint64_t device() const noexcept { return device_; }
    [[nodiscard]] std::uint64_t inode() const noexcept { return inode_; }
    /// The time of its opening.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    /// Returns: whether so many bytes were there.
    [[nodiscard]] bool read(std::uint64_t offset, void* to, std::size_t size) const noexcept;

private:
    Descriptor file_;
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
    std::uint64_t size_ = 0;
};

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/other_process.ipp>
#endif

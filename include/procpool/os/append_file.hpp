// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// AppendFile: a file that is read anywhere and written at its end, by one program at a time.

#include <procpool/core/config.hpp>
#include <procpool/os/descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace procpool::inline v0::detail::os {

/// Bytes that write() has written are in the kernel, so they survive the death of any process, but not that of the
/// machine until sync(). Called by: one thread at a time, but for sync().
class AppendFile {
public:
    AppendFile() noexcept = default;
    /// Opens the file, or makes an empty one. Throws: std::system_error.
    explicit AppendFile(const std::string& path);

    /// Whether it is an ordinary file, and no pipe or device.
    [[nodiscard]] bool is_regular() const noexcept;
    /// Whether the path still leads to this file.
    [[nodiscard]] bool is_at(const std::string& path) const noexcept;

    /// Effects: no other opening of the file gets the lock until unlock(), or until no process has this one any more.
    /// Returns: false when another has it. Throws: std::system_error where there are no such locks.
    [[nodiscard]] bool try_lock();
    /// Effects: gives the lock up, for children too that were forked with the file. Requires: this process opened it.
    void unlock() noexcept;

    /// Throws: std::system_error.
    [[nodiscard]] std::uint64_t size() const;
    /// Returns: how many bytes were read from there, fewer than `to` has only at the end of the file. Throws:
    /// std::system_error.
    [[nodiscard]] std::size_t read(std::span<std::byte> to, std::uint64_t from) const;

    /// Effects: writes the parts behind each other at the end, by one system call unless the system writes a part only.
    /// Returns: 0, or the error: then some of it may be there. EBADF: the program has closed the file.
    [[nodiscard]] int write(std::initializer_list<std::span<const std::byte>> parts) noexcept;
    /// Effects: the file ends there. Returns: 0, or the error.
    [[nodiscard]] int cut(std::uint64_t size) noexcept;
    /// Blocks until all that was written is on the disk. Returns: 0, or the error. Called by: any thread.
    [[nodiscard]] int sync() const noexcept;

private:
    [[nodiscard]] bool is_intact() const noexcept;

    Descriptor file_;
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
};

/// Effects: the path leads to no file any more. Returns: 0, or the error.
[[nodiscard]] int remove_file(const std::string& path) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/append_file.ipp>
#endif

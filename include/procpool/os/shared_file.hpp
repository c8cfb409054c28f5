// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// SharedFile: a small file that processes of several programs map, with a lock that no death leaves behind. FileView:
/// a file as it is.

#include <procpool/core/config.hpp>
#include <procpool/os/descriptor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace procpool::inline v0::detail::os {

/// Which of two files it is, and what it was like.
struct FileStamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t modified = 0;  ///< nanoseconds since 1970, as coarse as the kernel's clock

    [[nodiscard]] bool is_same_file(const FileStamp& other) const noexcept {
        return device == other.device && inode == other.inode;
    }
};

/// \{
/// Returns: the stamp of a file or folder; all zero, with errno set, when there is none.
[[nodiscard]] FileStamp stamp_of(const char* path) noexcept;
[[nodiscard]] FileStamp stamp_of(int descriptor) noexcept;
/// \}

/// Effects: the file has at least that many bytes, on blocks that are its own: a store to a mapping of it never meets a
/// full disk, which would be a SIGBUS. Throws: std::system_error.
void reserve_file(int descriptor, std::size_t bytes);

/// Whether a mapping of that size could be made now.
[[nodiscard]] bool has_address_space(std::size_t bytes) noexcept;

/// Effects: a program that is executed does not get the descriptor.
void close_on_exec(int descriptor) noexcept;

/// While it lives, no file that is opened gets the number of a standard stream that is closed. For libraries that open
/// files; Descriptor does it for others.
class NumbersOfStreams {
public:
    NumbersOfStreams() noexcept;
    NumbersOfStreams(const NumbersOfStreams&) = delete;
    NumbersOfStreams& operator=(const NumbersOfStreams&) = delete;
    ~NumbersOfStreams();

private:
    std::array<bool, 3> held_{};
};

/// A lock on a file's first byte, of the open file and the processes that have inherited it: the kernel releases it
/// when the last of them is gone. Closing another descriptor of the file does not.
class FileLock {
public:
    /// Opens the file, or makes it. Throws: std::system_error.
    explicit FileLock(const char* path);

    [[nodiscard]] int number() const noexcept { return file_.number(); }

    /// Returns: whether nobody else has the lock now, in either way: then this process has it, and nobody else gets it.
    [[nodiscard]] bool try_alone();
    /// Effects: has the lock together with others, for which it waits while another process has it alone. In one step,
    /// where this process had it alone.
    void share();
    /// Effects: has it no more.
    void release();

private:
    Descriptor file_;
};

/// The file is mapped for reading and writing while the object lives.
class SharedFile {
public:
    /// Opens the file, or makes it of zeros. Throws: std::system_error.
    SharedFile(const char* path, std::size_t bytes);
    SharedFile(const SharedFile&) = delete;
    SharedFile& operator=(const SharedFile&) = delete;
    ~SharedFile();

    [[nodiscard]] std::byte* data() const noexcept { return memory_; }
    [[nodiscard]] FileLock& lock() noexcept { return lock_; }

private:
    FileLock lock_;
    std::byte* memory_ = nullptr;
    std::size_t size_;
};

/// A file's bytes, mapped for reading only. Requires: nobody makes it shorter meanwhile.
class FileView {
public:
    /// Empty when there is no such file, or it has no bytes. Throws: std::system_error.
    explicit FileView(const char* path);
    FileView(const FileView&) = delete;
    FileView& operator=(const FileView&) = delete;
    ~FileView();

    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {memory_, size_}; }

private:
    const std::byte* memory_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/shared_file.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/shared_file.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#include <cerrno>

namespace procpool::inline v0::detail::os {

[[nodiscard]] inline FileStamp to_stamp(const struct stat& found) noexcept {
    constexpr std::int64_t nanoseconds = 1'000'000'000;
    return {found.st_dev, found.st_ino, static_cast<std::uint64_t>(found.st_size),
            found.st_mtim.tv_sec * nanoseconds + found.st_mtim.tv_nsec};
}

PROCPOOL_DECL FileStamp stamp_of(const char* path) noexcept {
    struct stat found {};
    return try_call("stat", [&] { return ::stat(path, &found); }) == 0 ? to_stamp(found) : FileStamp{};
}

PROCPOOL_DECL FileStamp stamp_of(int descriptor) noexcept {
    struct stat found {};
    return try_call("fstat", [&] { return ::fstat(descriptor, &found); }) == 0 ? to_stamp(found) : FileStamp{};
}

PROCPOOL_DECL void reserve_file(int descriptor, std::size_t bytes) {
    if (stamp_of(descriptor).size >= bytes) { return; }
    call("posix_fallocate", [&] {
        const int error = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
        errno = error;
        return error == 0 ? 0 : -1;
    });
}

PROCPOOL_DECL bool has_address_space(std::size_t bytes) noexcept {
    void* const memory = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED && ::munmap(memory, bytes) == 0;
}

PROCPOOL_DECL void close_on_exec(int descriptor) noexcept { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

PROCPOOL_DECL NumbersOfStreams::NumbersOfStreams() noexcept {
    for (;;) {
        const int number = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        if (number < 0) { return; }
        if (number > STDERR_FILENO) {
            ::close(number);
            return;
        }
        held_[static_cast<std::size_t>(number)] = true;
    }
}

PROCPOOL_DECL NumbersOfStreams::~NumbersOfStreams() {
    for (std::size_t number = 0; number != held_.size(); ++number) {
        if (held_[number]) { ::close(static_cast<int>(number)); }
    }
}

PROCPOOL_DECL FileLock::FileLock(const char* path) {
    constexpr mode_t all_may_read_and_write = 0666;  // as far as the umask allows
    file_ =
        Descriptor{call("open", [&] { return ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, all_may_read_and_write); })};
    if (!file_) { throw_error(errno, "fcntl"); }
}

[[nodiscard]] inline struct flock first_byte(short kind) noexcept {
    struct flock lock {};  // l_pid has to be 0 for a lock of the open file
    lock.l_type = kind;
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    return lock;
}

PROCPOOL_DECL bool FileLock::try_alone() {
    struct flock lock = first_byte(F_WRLCK);
    if (try_call("fcntl", [&] { return ::fcntl(file_.number(), F_OFD_SETLK, &lock); }) == 0) { return true; }
    if (errno != EAGAIN && errno != EACCES) { throw_error(errno, "fcntl"); }
    return false;
}

PROCPOOL_DECL void FileLock::share() {
    struct flock lock = first_byte(F_RDLCK);
    call("fcntl", [&] { return ::fcntl(file_.number(), F_OFD_SETLKW, &lock); });
}

PROCPOOL_DECL void FileLock::release() {
    struct flock lock = first_byte(F_UNLCK);
    call("fcntl", [&] { return ::fcntl(file_.number(), F_OFD_SETLK, &lock); });
}

PROCPOOL_DECL SharedFile::SharedFile(const char* path, std::size_t bytes) : lock_(path), size_(bytes) {
    reserve_file(lock_.number(), bytes);
    void* const memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, lock_.number(), 0);
    if (memory == MAP_FAILED) { throw_error(errno, "mmap"); }
    memory_ = static_cast<std::byte*>(memory);
}

PROCPOOL_DECL SharedFile::~SharedFile() { ::munmap(memory_, size_); }

PROCPOOL_DECL FileView::FileView(const char* path) {
    const Descriptor file{try_call("open", [&] { return ::open(path, O_RDONLY | O_CLOEXEC); })};
    if (!file) {
        if (errno == ENOENT) { return; }
        throw_error(errno, "open");
    }
    size_ = static_cast<std::size_t>(stamp_of(file.number()).size);
    if (size_ == 0) { return; }
    const void* const memory = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.number(), 0);
    if (memory == MAP_FAILED) { throw_error(errno, "mmap"); }
    memory_ = static_cast<const std::byte*>(memory);
}

PROCPOOL_DECL FileView::~FileView() {
    if (memory_ != nullptr) { ::munmap(const_cast<std::byte*>(memory_), size_); }
}

}  // namespace procpool::detail::os

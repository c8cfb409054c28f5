// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/append_file.hpp>

#include <procpool/os/call.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL AppendFile::AppendFile(const std::string& path) {
    constexpr mode_t all_may_read_and_write = 0666;  // as far as the umask allows
    file_ = Descriptor{call("open", [&] {
        return ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                      all_may_read_and_write);
    })};
    if (!file_) { throw_error(errno, "fcntl"); }
    struct stat now {};
    call("fstat", [&] { return ::fstat(file_.number(), &now); });
    device_ = now.st_dev;
    inode_ = now.st_ino;
}

/// As Descriptor::is_intact(), by one call of the system: no other file has this inode.
PROCPOOL_DECL bool AppendFile::is_intact() const noexcept {
    struct stat now {};
    return ::fstat(file_.number(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_;
}

PROCPOOL_DECL bool AppendFile::is_regular() const noexcept {
    struct stat now {};
    return ::fstat(file_.number(), &now) == 0 && S_ISREG(now.st_mode);
}

PROCPOOL_DECL bool AppendFile::is_at(const std::string& path) const noexcept {
    struct stat here {};
    struct stat there {};
    return ::fstat(file_.number(), &here) == 0 && ::stat(path.c_str(), &there) == 0 && here.st_dev == there.st_dev &&
           here.st_ino == there.st_ino;
}

/// Of the whole file.
[[nodiscard]] inline struct flock whole_file(short type) noexcept {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

PROCPOOL_DECL bool AppendFile::try_lock() {
    struct flock lock = whole_file(F_WRLCK);
    if (try_call("fcntl", [&] { return ::fcntl(file_.number(), F_OFD_SETLK, &lock); }) != -1) { return true; }
    if (errno != EAGAIN && errno != EACCES) { throw_error(errno, "fcntl(F_OFD_SETLK)"); }
    return false;
}

PROCPOOL_DECL void AppendFile::unlock() noexcept {
    if (!file_.is_intact()) { return; }
    struct flock lock = whole_file(F_UNLCK);
    static_cast<void>(::fcntl(file_.number(), F_OFD_SETLK, &lock));
}

PROCPOOL_DECL std::uint64_t AppendFile::size() const {
    struct stat now {};
    call("fstat", [&] { return ::fstat(file_.number(), &now); });
    return static_cast<std::uint64_t>(now.st_size);
}

PROCPOOL_DECL std::size_t AppendFile::read(std::span<std::byte> to, std::uint64_t from) const {
    std::size_t done = 0;
    while (done != to.size()) {
        const ssize_t got = call("pread", [&] {
            return ::pread(file_.number(), to.data() + done, to.size() - done, static_cast<off_t>(from + done));
        });
        if (got == 0) { break; }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

PROCPOOL_DECL int AppendFile::write(std::initializer_list<std::span<const std::byte>> parts) noexcept {
    if (!is_intact()) { return EBADF; }
    constexpr std::size_t most = 8;
    constexpr std::size_t few = 1024;  // bytes that are copied faster than the system follows a list
    std::array<iovec, most> left{};
    std::array<std::byte, few> together;
    std::size_t count = 0;
    std::size_t size = 0;
    for (const std::span<const std::byte> part : parts) {
        if (!part.empty()) { left[count++] = {const_cast<std::byte*>(part.data()), part.size()}; }
        size += part.size();
    }
    if (count > 1 && size <= few) {
        std::byte* to = together.data();
        for (const std::span<const std::byte> part : parts) { to = std::copy(part.begin(), part.end(), to); }
        left[0] = {together.data(), size};
        count = 1;
    }
    for (iovec* first = left.data(); count != 0;) {
        const ssize_t written =
            try_call("writev", [&] { return ::writev(file_.number(), first, static_cast<int>(count)); });
        if (written == -1) { return errno; }
        for (auto done = static_cast<std::size_t>(written); count != 0; ++first, --count) {
            if (done < first->iov_len) {
                first->iov_base = static_cast<std::byte*>(first->iov_base) + done;
                first->iov_len -= done;
                break;
            }
            done -= first->iov_len;
        }
    }
    return 0;
}

PROCPOOL_DECL int AppendFile::cut(std::uint64_t size) noexcept {
    if (!is_intact()) { return EBADF; }
    const int result = try_call("ftruncate", [&] { return ::ftruncate(file_.number(), static_cast<off_t>(size)); });
    return result == -1 ? errno : 0;
}

PROCPOOL_DECL int AppendFile::sync() const noexcept {
    const int result = try_call("fdatasync", [&] { return ::fdatasync(file_.number()); });
    return result == -1 ? errno : 0;
}

PROCPOOL_DECL int remove_file(const std::string& path) noexcept {
    const int result = try_call("unlink", [&] { return ::unlink(path.c_str()); });
    return result == -1 ? errno : 0;
}

}  // namespace procpool::detail::os

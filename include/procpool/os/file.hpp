// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Files by name, with descriptors that no standard stream has: see Descriptor.

#include <procpool/os/call.hpp>
#include <procpool/os/descriptor.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <cstddef>
#include <cstdio>
#include <string>

namespace procpool::inline v0::detail::os {

/// Returns: what is in the file; what could be read of it, if that is not all.
[[nodiscard]] inline std::string text_of_file(const char* path) {
    std::string text;
    const Descriptor file{try_call("open", [&] { return ::open(path, O_RDONLY | O_CLOEXEC); })};
    if (!file) { return text; }
    std::array<char, 4096> part;
    for (;;) {
        const ssize_t got = try_call("read", [&] { return ::read(file.number(), part.data(), part.size()); });
        if (got <= 0) { return text; }
        text.append(part.data(), static_cast<std::size_t>(got));
    }
}

/// Returns: a new, empty file for writing, which is closed when a program is executed; null, with errno set, when it
/// cannot be had.
[[nodiscard]] inline std::FILE* create_file(const char* path) noexcept {
    constexpr mode_t all_may_read_and_write = 0666;  // as far as the umask allows
    Descriptor file{try_call(
        "open", [&] { return ::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, all_may_read_and_write); })};
    if (!file) { return nullptr; }
    std::FILE* const stream = ::fdopen(file.number(), "wb");
    if (stream != nullptr) { static_cast<void>(file.release()); }
    return stream;
}

}  // namespace procpool::detail::os

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/file.hpp>

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>
#include <array>
#include <cstddef>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL std::string text_of_file(const char* path) {
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

PROCPOOL_DECL std::FILE* create_file(const char* path) noexcept {
    constexpr mode_t all_may_read_and_write = 0666;  // as far as the umask allows
    Descriptor file{try_call(
        "open", [&] { return ::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, all_may_read_and_write); })};
    if (!file) { return nullptr; }
    std::FILE* const stream = ::fdopen(file.number(), "wb");
    if (stream != nullptr) { static_cast<void>(file.release()); }
    return stream;
}

}  // namespace procpool::detail::os

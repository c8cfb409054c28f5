// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/process_start.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <string_view>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL std::uint64_t start_of_process(std::int32_t pid) noexcept {
    constexpr std::uint64_t unknown = 1;
    if (pid <= 0) { return 0; }
    std::array<char, 32> path;
    static_cast<void>(std::snprintf(path.data(), path.size(), "/proc/%d/stat", static_cast<int>(pid)));
    const int saved = errno;
    std::array<char, 1024> text;
    ssize_t got = -1;
    if (const Descriptor file{try_call("open", [&] { return ::open(path.data(), O_RDONLY | O_CLOEXEC); })}) {
        got = try_call("read", [&] { return ::read(file.number(), text.data(), text.size()); });
    }
    const bool exists = got > 0 || ::kill(pid, 0) == 0 || errno == EPERM;
    errno = saved;
    if (!exists) { return 0; }
    // "1 (name) S ...": the name may hold anything, the third part is the state.
    std::string_view parts{text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
    const std::size_t end_of_name = parts.rfind(')');
    if (end_of_name == std::string_view::npos || end_of_name + 2 >= parts.size()) { return unknown; }
    parts.remove_prefix(end_of_name + 2);
    const bool has_first_thread = parts[0] != 'Z' && parts[0] != 'X';
    std::array<std::uint64_t, 23> numbers{};  // of the parts that are some
    for (std::size_t part = 4; part < numbers.size(); ++part) {
        const std::size_t space = parts.find(' ');
        if (space == std::string_view::npos) { return unknown; }
        parts.remove_prefix(space + 1);
        std::from_chars(parts.data(), parts.data() + parts.size(), numbers[part]);
    }
    constexpr std::size_t threads = 20;  // others may go on without the first
    constexpr std::size_t start = 22;
    if (!has_first_thread && numbers[threads] <= 1) { return 0; }
    return numbers[start] > unknown ? numbers[start] : unknown;
}

}  // namespace procpool::detail::os

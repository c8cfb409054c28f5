// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/process_memory.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <string_view>

namespace procpool::inline v0::detail::os {

/// A file of /proc/PID, with its text.
class ProcessFile {
public:
    ProcessFile(std::int32_t pid, const char* name) noexcept {
        static_cast<void>(std::snprintf(path_.data(), path_.size(), "/proc/%d/%s", static_cast<int>(pid), name));
    }

    [[nodiscard]] std::string_view read() noexcept {
        std::size_t size = 0;
        if (const Descriptor file{try_call("open", [&] { return ::open(path_.data(), O_RDONLY | O_CLOEXEC); })}) {
            for (ssize_t got = 1; got > 0 && size < text_.size();
                 size += static_cast<std::size_t>(std::max<ssize_t>(got, 0))) {
                got = try_call("read", [&] { return ::read(file.number(), text_.data() + size, text_.size() - size); });
            }
        }
        return {text_.data(), size};
    }

    void write(std::string_view text) noexcept {
        if (const Descriptor file{try_call("open", [&] { return ::open(path_.data(), O_WRONLY | O_CLOEXEC); })}) {
            static_cast<void>(try_call("write", [&] { return ::write(file.number(), text.data(), text.size()); }));
        }
    }

private:
    std::array<char, 48> path_;
    std::array<char, 4096> text_;
};

/// Returns: the number behind `name`; 0 without one.
[[nodiscard]] PROCPOOL_DECL std::uint64_t number_behind(std::string_view text, std::string_view name) noexcept {
    const std::size_t at = text.find(name);
    if (at == std::string_view::npos) { return 0; }
    text.remove_prefix(at + name.size());
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

PROCPOOL_DECL std::optional<std::uint64_t> own_memory(std::int32_t pid) noexcept {
    ProcessFile file{pid, "statm"};
    // "size resident shared ...", in pages
    const std::string_view text = file.read();
    const std::size_t first = text.find(' ');
    const std::size_t second = first == std::string_view::npos ? first : text.find(' ', first + 1);
    if (second == std::string_view::npos) { return std::nullopt; }
    const std::uint64_t resident = number_behind(text.substr(first), " ");
    const std::uint64_t shared = number_behind(text.substr(second), " ");
    return (resident - std::min(resident, shared)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

PROCPOOL_DECL std::optional<std::uint64_t> own_peak(std::int32_t pid) noexcept {
    ProcessFile file{pid, "status"};
    const std::string_view text = file.read();
    const std::uint64_t most = number_behind(text, "\nVmHWM:");
    if (most == 0) { return std::nullopt; }
    const std::uint64_t shared = number_behind(text, "\nRssFile:") + number_behind(text, "\nRssShmem:");
    return (most - std::min(most, shared)) * 1024;
}

PROCPOOL_DECL void forget_peak(std::int32_t pid) noexcept { ProcessFile{pid, "clear_refs"}.write("5"); }

PROCPOOL_DECL bool is_stopped(std::int32_t pid) noexcept {
    ProcessFile file{pid, "stat"};
    // "1 (name) S ...": the name may hold anything.
    const std::string_view text = file.read();
    const std::size_t end_of_name = text.rfind(')');
    if (end_of_name == std::string_view::npos || end_of_name + 2 >= text.size()) { return false; }
    const char state = text[end_of_name + 2];
    return state == 'T' || state == 't';
}

}  // namespace procpool::detail::os

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/scope.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/file.hpp>
#include <procpool/os/other_process.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <set>
#include <utility>

namespace procpool::inline v0::detail::os {

/// Returns: the numbers that a line begins with, with 0 for each that is none.
template <std::size_t count>
[[nodiscard]] std::array<std::uint64_t, count> numbers_in(std::string_view line) noexcept {
    std::array<std::uint64_t, count> numbers{};
    for (std::uint64_t& number : numbers) {
        std::from_chars(line.data(), line.data() + line.size(), number);
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos) { break; }
        line.remove_prefix(space + 1);
    }
    return numbers;
}

PROCPOOL_DECL std::optional<ProcessUse> use_of_process(pid_t pid) {
    if (pid <= 0) { return std::nullopt; }
    const std::string folder = "/proc/" + std::to_string(pid);
    const std::string text = text_of_file((folder + "/stat").c_str());
    // "1 (name) S 0 ...": the name may hold anything, the third part is the state.
    const std::size_t name = text.find('(');
    const std::size_t end_of_name = text.rfind(')');
    if (name == std::string::npos || end_of_name == std::string::npos || end_of_name + 4 > text.size()) {
        return std::nullopt;
    }
    ProcessUse use;
    use.name = text.substr(name + 1, end_of_name - name - 1);
    const char state = text[end_of_name + 2];
    use.has_ended = state == 'Z' || state == 'X';
    constexpr std::size_t first = 4;  // the number of the part that follows
    const auto parts = numbers_in<12>(std::string_view{text}.substr(end_of_name + 4));
    use.parent = static_cast<pid_t>(parts[0]);
    const long ticks = ::sysconf(_SC_CLK_TCK);
    use.cpu_seconds =
        static_cast<double>(parts[14 - first] + parts[15 - first]) / static_cast<double>(ticks > 0 ? ticks : 100);
    const auto pages = numbers_in<3>(text_of_file((folder + "/statm").c_str()));
    const auto page = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PAGESIZE), 1L));
    use.resident_bytes = pages[1] * page;
    use.shared_bytes = pages[2] * page;
    return use;
}

/// Calls look(number) for each entry of a folder that is a number. Returns: false, with errno set, when it cannot be
/// read.
template <class Look>
[[nodiscard]] bool each_number_in(const char* folder, Look look) {
    struct Close {
        void operator()(DIR* open) const noexcept { ::closedir(open); }
    };
    const std::unique_ptr<DIR, Close> open{::opendir(folder)};
    if (open == nullptr) { return false; }
    while (const dirent* const entry = ::readdir(open.get())) {
        const std::string_view name{entry->d_name};
        int number = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
        if (error == std::errc{} && end == name.data() + name.size()) { look(number); }
    }
    return true;
}

PROCPOOL_DECL OpenFiles files_in_memory(std::string_view prefix, pid_t only) {
    OpenFiles found;
    const std::string start = "/memfd:" + std::string{prefix};
    std::set<std::pair<std::uint64_t, std::uint64_t>> known;
    const auto look_at = [&](pid_t pid) {
        const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
        const bool could = each_number_in(folder.c_str(), [&](int number) {
            const std::string path = folder + "/" + std::to_string(number);
            std::array<char, 64> target{};
            const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
            if (size <= 0 || !std::string_view{target.data(), static_cast<std::size_t>(size)}.starts_with(start)) {
                return;
            }
            struct stat status {};
            if (::stat(path.c_str(), &status) == 0 && known.emplace(status.st_dev, status.st_ino).second) {
                found.files.push_back({pid, number});
            }
        });
        if (!could && errno == EACCES) { ++found.hidden; }
    };
    if (only != 0) {
        look_at(only);
    } else {
        std::vector<pid_t> all;
        found.can_be_had = each_number_in("/proc", [&](int number) { all.push_back(number); });
        for (const pid_t pid : all) { look_at(pid); }
    }
    return found;
}

PROCPOOL_DECL MemoryFile MemoryFile::open(OpenFile where) noexcept {
    constexpr auto tmpfs = 0x01021994;  // of such files, none of which makes a reader wait
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "/proc/%d/fd/%d", static_cast<int>(where.pid), where.number);
    MemoryFile opened;
    // By its name alone another kind of file might do something when it is opened.
    struct stat status {};
    if (::stat(path.data(), &status) != 0) { return opened; }
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return opened;
    }
    Descriptor file{
        try_call("open", [&] { return ::open(path.data(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); })};
    struct statfs system {};
    if (!file || ::fstat(file.number(), &status) != 0 || ::fstatfs(file.number(), &system) != 0) { return opened; }
    if (!S_ISREG(status.st_mode) || system.f_type != tmpfs) {
        errno = EINVAL;
        return opened;
    }
    opened.file_ = std::move(file);
    opened.device_ = status.st_dev;
    opened.inode_ = status.st_ino;
    opened.size_ = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
    return opened;
}

PROCPOOL_DECL bool MemoryFile::read(std::uint64_t offset, void* to, std::size_t size) const noexcept {
    auto* const bytes = static_cast<char*>(to);
    for (std::size_t had = 0; had < size;) {
        const ssize_t got = try_call("pread", [&] {
            return ::pread(file_.number(), bytes + had, size - had, static_cast<off_t>(offset + had));
        });
        if (got <= 0) { return false; }
        had += static_cast<std::size_t>(got);
    }
    return true;
}

}  // namespace procpool::detail::os

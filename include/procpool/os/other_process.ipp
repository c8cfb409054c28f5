// SPDX-License-Identifier: BSL-1.0
#pragma once

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
#include <string>
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

/// The part of a process's account that stands in one of its files in /proc, for which a few system calls are enough:
/// it is asked for often.
class ProcText {
public:
    ProcText(pid_t pid, const char* name) noexcept {
        std::array<char, 64> path{};
        std::snprintf(path.data(), path.size(), "/proc/%d/%s", static_cast<int>(pid), name);
        const int file = try_call("open", [&] { return ::open(path.data(), O_RDONLY | O_CLOEXEC); });
        if (file < 0) { return; }
        const ssize_t got = try_call("read", [&] { return ::read(file, text_.data(), text_.size()); });
        ::close(file);
        size_ = got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), size_}; }

private:
    std::array<char, 1024> text_;
    std::size_t size_ = 0;
};

PROCPOOL_DECL std::optional<ProcessUse> use_of_process(pid_t pid, bool memory) {
    if (pid <= 0) { return std::nullopt; }
    const ProcText stat{pid, "stat"};
    // "1 (name) S 0 ...": the name may hold anything, the third part is the state.
    const std::string_view text = stat.text();
    const std::size_t name = text.find('(');
    const std::size_t end_of_name = text.rfind(')');
    if (name == std::string_view::npos || end_of_name == std::string_view::npos || end_of_name + 4 > text.size()) {
        return std::nullopt;
    }
    ProcessUse use;
    use.name = text.substr(name + 1, end_of_name - name - 1);
    const char state = text[end_of_name + 2];
    use.has_ended = state == 'Z' || state == 'X';
    constexpr std::size_t first = 4;  // the number of the part that follows
    constexpr std::size_t user_time = 14;
    const auto parts = numbers_in<user_time + 2 - first>(text.substr(end_of_name + 4));
    use.parent = static_cast<pid_t>(parts[0]);
    static const auto ticks_per_second = static_cast<double>(std::max(::sysconf(_SC_CLK_TCK), 1L));
    use.cpu_seconds = static_cast<double>(parts[user_time - first] + parts[user_time - first + 1]) / ticks_per_second;
    if (memory) {
        static const auto page = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PAGESIZE), 1L));
        const auto pages = numbers_in<3>(ProcText{pid, "statm"}.text());
        use.resident_bytes = pages[1] * page;
        use.shared_bytes = pages[2] * page;
    }
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

PROCPOOL_DECL pid_t own_number_of(pid_t pid) {
    const std::string text = text_of_file(("/proc/" + std::to_string(pid) + "/status").c_str());
    constexpr std::string_view key = "\nNSpid:";  // "NSpid:	2000	17": the innermost namespace comes last
    const std::size_t begin = text.find(key);
    if (begin == std::string::npos) { return 0; }
    const std::string_view line =
        std::string_view{text}.substr(begin + key.size(), text.find('\n', begin + 1) - begin - key.size());
    const std::string_view last = line.substr(line.find_last_of(" \t") + 1);
    pid_t number = 0;
    std::from_chars(last.data(), last.data() + last.size(), number);
    return number;
}

PROCPOOL_DECL std::vector<pid_t> all_processes() {
    std::vector<pid_t> all;
    static_cast<void>(each_number_in("/proc", [&](int number) { all.push_back(number); }));
    return all;
}

PROCPOOL_DECL OpenFiles files_in_memory(std::string_view prefix, std::span<const pid_t> of) {
    OpenFiles found;
    const std::string start = "/memfd:" + std::string{prefix};
    for (const pid_t pid : of) {
        const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
        const bool could = each_number_in(folder.c_str(), [&](int number) {
            const std::string path = folder + "/" + std::to_string(number);
            std::array<char, 64> target{};
            const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
            if (size <= 0 || !std::string_view{target.data(), static_cast<std::size_t>(size)}.starts_with(start)) {
                return;
            }
            found.files.push_back({pid, number});
        });
        if (!could && errno == EACCES) { found.hidden.push_back(pid); }
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

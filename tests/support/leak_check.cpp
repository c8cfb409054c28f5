// SPDX-License-Identifier: BSL-1.0
#include "leak_check.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

namespace procpool_test {
namespace {

namespace fs = std::filesystem;

#if defined(__SANITIZE_THREAD__)
constexpr bool under_thread_sanitizer = true;
#elif defined(__has_feature)
constexpr bool under_thread_sanitizer = __has_feature(thread_sanitizer);
#else
constexpr bool under_thread_sanitizer = false;
#endif

std::string first_line(const fs::path& path) {
    std::ifstream file{path};
    std::string line;
    std::getline(file, line);
    return line;
}

std::vector<fs::path> entries(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code ended;  // a listed entry may be gone a moment later
    for (fs::directory_iterator it{folder, ended}; !ended && it != fs::directory_iterator{}; it.increment(ended)) {
        found.push_back(it->path());
    }
    return found;
}

std::map<std::string, std::string> descriptors() {
    std::map<std::string, std::string> found;
    for (const fs::path& path : entries("/proc/self/fd")) {  // lists its own descriptor too, closed by now
        std::error_code gone;
        const fs::path target = fs::read_symlink(path, gone);
        if (!gone) { found.emplace(path.filename(), target); }
    }
    return found;
}

std::map<std::string, std::string> children() {
    std::map<std::string, std::string> found;
    for (const fs::path& path : entries("/proc")) {
        if (path.filename().native().find_first_not_of("0123456789") != std::string::npos) { continue; }
        const std::string stat = first_line(path / "stat");  // "7 (name) S 1 …"; a name may hold spaces and brackets
        const std::size_t name_end = stat.rfind(')');
        if (name_end == std::string::npos) { continue; }
        std::istringstream rest{stat.substr(name_end + 1)};
        char state = '?';
        pid_t parent = 0;
        rest >> state >> parent;
        if (parent == ::getpid()) {
            found.emplace(path.filename(), stat.substr(0, name_end + 1) + (state == 'Z' ? " zombie" : ""));
        }
    }
    return found;
}

std::map<std::string, std::string> threads() {
    std::map<std::string, std::string> found;
    for (const fs::path& path : entries("/proc/self/task")) {
        found.emplace(path.filename(), first_line(path / "comm"));
    }
    return found;
}

std::set<std::string> mappings() {
    std::set<std::string> found;
    std::ifstream maps{"/proc/self/maps"};
    for (std::string line; std::getline(maps, line);) {
        std::istringstream words{line};
        std::string range, rights, offset, device, inode, file;
        words >> range >> rights >> offset >> device >> inode;
        std::getline(words >> std::ws, file);
        if (rights.ends_with('s')) { found.insert(range + " " + rights + " " + file); }
    }
    return found;
}

std::set<std::string> shm_files() {
    // The files that the test of this check leaks stay while it is waited for: no other program must wait for them.
    const std::string leaky = "procpool-leaky-";
    std::set<std::string> found;
    for (const fs::path& path : entries("/dev/shm")) {
        const std::string name = path.filename();
        if (name.starts_with(leaky) && name != leaky + std::to_string(::getpid())) { continue; }
        if (name.starts_with("vader_segment.")) { continue; }  // of Open MPI, in jobs beside this one
        struct stat status {};
        if (::lstat(path.c_str(), &status) == 0 && status.st_uid == ::geteuid()) { found.insert(path); }
    }
    return found;
}

std::set<std::string> signals() {
    std::set<std::string> found;
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    for (int number = 1; number <= SIGRTMAX; ++number) {
        const std::string name = "signal " + std::to_string(number);
        if (sigismember(&blocked, number) == 1) { found.insert(name + " is blocked"); }
        struct sigaction action {};
        if (::sigaction(number, nullptr, &action) != 0) { continue; }  // the two that glibc keeps for itself
        if (action.sa_handler == SIG_IGN) {
            found.insert(name + " is ignored");
        } else if (action.sa_handler != SIG_DFL) {
            std::ostringstream text;
            text << name << " has the handler " << reinterpret_cast<void*>(action.sa_handler) << ", flags 0x"
                 << std::hex << action.sa_flags;
            found.insert(text.str());
        }
    }
    return found;
}

using Lines = std::vector<std::string>;

void compare_sets(Lines& lines, const std::string& what, const std::set<std::string>& before,
                  const std::set<std::string>& after) {
    for (const std::string& item : after) {
        if (!before.contains(item)) { lines.push_back("left behind: " + what + item); }
    }
    for (const std::string& item : before) {
        if (!after.contains(item)) { lines.push_back("gone: " + what + item); }
    }
}

void compare_maps(Lines& lines, const std::string& what, const std::map<std::string, std::string>& before,
                  const std::map<std::string, std::string>& after) {
    const auto flat = [](const std::map<std::string, std::string>& items) {
        std::set<std::string> all;
        for (const auto& [key, value] : items) { all.insert(key + ": " + value); }
        return all;
    };
    compare_sets(lines, what, flat(before), flat(after));
}

}  // namespace

LeakCheck::State LeakCheck::look() {
    return {descriptors(), children(), threads(), mappings(), shm_files(), signals()};
}

LeakCheck::LeakCheck() {
    [[maybe_unused]] static const bool warm = [] {
        if (under_thread_sanitizer) {
            std::thread{[] {}}.join();
        }  // its runtime starts a thread beside the first
        if (leak_check_warm_up != nullptr) { leak_check_warm_up(); }
        return true;
    }();
    before_ = look();
}

std::vector<std::string> LeakCheck::compare(const State& now) const {
    Lines lines;
    compare_maps(lines, "descriptor ", before_.descriptors, now.descriptors);
    compare_maps(lines, "child process ", before_.children, now.children);
    if (before_.threads.size() != now.threads.size()) { compare_maps(lines, "thread ", before_.threads, now.threads); }
    compare_sets(lines, "shared mapping ", before_.mappings, now.mappings);
    for (const std::string& file : now.shm_files) {
        if (!before_.shm_files.contains(file)) { lines.push_back("left behind: file " + file); }
    }
    compare_sets(lines, "", before_.signals, now.signals);
    return lines;
}

std::vector<std::string> LeakCheck::differences() const {
    using namespace std::chrono_literals;
    State now = look();
    const auto limit = std::chrono::steady_clock::now() + 5s;
    const auto may_vanish = [&] {  // a joined thread is listed until the kernel has taken it down
        if (now.threads.size() > before_.threads.size()) { return true; }
        for (const std::string& file : now.shm_files) {
            if (!before_.shm_files.contains(file)) { return true; }
        }
        return false;
    };
    while (may_vanish() && std::chrono::steady_clock::now() < limit) {
        std::this_thread::sleep_for(1ms);
        now = look();  // the resources of a thread go with it
    }
    return compare(now);
}

}  // namespace procpool_test

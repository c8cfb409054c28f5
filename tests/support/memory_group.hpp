// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MemoryGroup: a control group with a limit of memory for a test, of version 1 or 2, where such a one may be made.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

namespace procpool_test {

/// Empty unless the program is root's, or has been given the right, and the memory controller is at hand; and under
/// sanitizers. Tests that use it have the tag [serial], and are passed over without one.
class MemoryGroup {
public:
    explicit MemoryGroup(std::uint64_t limit) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        if (limit != 0) { return; }  // a sanitizer's record of each byte would count
#endif
        const std::string name = "/procpool-test-" + std::to_string(::getpid());
        if (!make("/sys/fs/cgroup/memory" + name, "/memory.limit_in_bytes", limit)) {
            make("/sys/fs/cgroup" + name, "/memory.max", limit);
        }
    }
    MemoryGroup(const MemoryGroup&) = delete;
    MemoryGroup& operator=(const MemoryGroup&) = delete;
    ~MemoryGroup() {
        // A process that was killed in it leaves it a little later.
        for (int i = 0; !folder_.empty() && ::rmdir(folder_.c_str()) != 0 && i < 2000; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
    }

    [[nodiscard]] explicit operator bool() const { return !folder_.empty(); }
    /// Effects: the caller is in the group, and what it forks from now on.
    [[nodiscard]] bool join() const { return write(folder_ + "/cgroup.procs", std::to_string(::getpid())); }
    /// Returns: the value in memory.stat of the group and those below it.
    [[nodiscard]] std::int64_t stat(const std::string& name) const {
        std::istringstream text{read(folder_ + "/memory.stat")};
        std::int64_t found = -1;
        std::string key;
        for (std::int64_t value = 0; text >> key >> value;) {
            if (key == name || key == "total_" + name) { found = value; }  // the latter comes later
        }
        return found;
    }

private:
    bool make(const std::string& folder, const std::string& limit_file, std::uint64_t limit) {
        if (::mkdir(folder.c_str(), 0755) != 0) { return false; }
        if (!write(folder + limit_file, std::to_string(limit))) {
            ::rmdir(folder.c_str());
            return false;
        }
        folder_ = folder;
        return true;
    }
    static std::string read(const std::string& path) {
        std::ifstream file{path};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
    static bool write(const std::string& path, const std::string& text) {
        if (!std::filesystem::exists(path)) { return false; }
        std::ofstream file{path};
        file << text << std::flush;
        return static_cast<bool>(file);
    }

    std::string folder_;
};

}  // namespace procpool_test

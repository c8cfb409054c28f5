// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// What the machine and every control group above this process allow: CPUs and memory.

#include <procpool/os/file.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <sched.h>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace procpool::os {

/// Reads limits from files below `root`, "" for the machine itself. Files that are missing or malformed limit nothing.
class Limits {
public:
    explicit Limits(std::string root = {}) : root_(std::move(root)) { find_groups(); }

    /// The CPUs that quotas above this process allow together; infinity without a quota.
    [[nodiscard]] double cpu_quota() const {
        double least = std::numeric_limits<double>::infinity();
        for (const std::string& group : unified_) {
            std::istringstream text{read(group + "/cpu.max")};
            double quota = 0;
            double period = 0;
            if (text >> quota >> period && quota > 0 && period > 0) { least = std::min(least, quota / period); }
        }
        for (const std::string& group : cpu_) {
            const auto quota = number(group + "/cpu.cfs_quota_us");
            const auto period = number(group + "/cpu.cfs_period_us");
            if (quota && period && *quota > 0 && *period > 0) {
                least = std::min(least, static_cast<double>(*quota) / static_cast<double>(*period));
            }
        }
        return least;
    }

    /// Bytes that can still be used: the machine's, or what a group above this process has left.
    [[nodiscard]] std::uint64_t available_memory() const {
        std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
        std::istringstream info{read("/proc/meminfo")};
        for (std::string name, unit; info >> name;) {
            std::uint64_t kilobytes = 0;
            if (!(info >> kilobytes)) { break; }
            std::getline(info, unit);
            if (name == "MemAvailable:") { least = kilobytes * 1024; }
        }
        const auto group_leaves = [&](const std::string& group, const char* limit_file, const char* used_file) {
            const auto limit = number(group + limit_file);
            const auto used = number(group + used_file);
            if (limit && used && *limit >= 0) {
                least = std::min(least, static_cast<std::uint64_t>(std::max<std::int64_t>(0, *limit - *used)));
            }
        };
        for (const std::string& group : unified_) { group_leaves(group, "/memory.max", "/memory.current"); }
        for (const std::string& group : memory_) { group_leaves(group, "/memory.limit_in_bytes", "/memory.usage_in_bytes"); }
        return least;
    }

private:
    [[nodiscard]] std::string read(const std::string& path) const {
        return text_of_file((root_ + path).c_str());
    }

    [[nodiscard]] std::optional<std::int64_t> number(const std::string& path) const {
        std::istringstream text{read(path)};
        std::int64_t value = 0;
        if (text >> value) { return value; }
        return std::nullopt;
    }

    /// Every line of /proc/self/cgroup is "number:controllers:path"; version 2 has no controllers there.
    void find_groups() {
        std::istringstream lines{read("/proc/self/cgroup")};
        for (std::string line; std::getline(lines, line);) {
            const std::size_t first = line.find(':');
            const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
            if (second == std::string::npos) { continue; }
            std::string controllers{','};
            controllers.append(line, first + 1, second - first - 1).push_back(',');
            const std::string path = line.substr(second + 1);
            if (!path.starts_with('/')) { continue; }
            if (controllers == ",,") { add_with_ancestors(unified_, "/sys/fs/cgroup", path); }
            if (controllers.find(",cpu,") != std::string::npos) { add_with_ancestors(cpu_, "/sys/fs/cgroup/cpu", path); }
            if (controllers.find(",memory,") != std::string::npos) { add_with_ancestors(memory_, "/sys/fs/cgroup/memory", path); }
        }
    }

    static void add_with_ancestors(std::vector<std::string>& groups, const std::string& mount, std::string path) {
        while (!path.empty() && path != "/") {
            groups.push_back(mount + path);
            path.erase(path.find_last_of('/'));
        }
        groups.push_back(mount);
    }

    std::string root_;
    std::vector<std::string> unified_;
    std::vector<std::string> cpu_;
    std::vector<std::string> memory_;
};

/// How many workers a pool may have: twice as many seats have to have a number in the word of a task.
inline constexpr std::size_t most_workers = 2000;

/// The CPUs in this process's affinity mask, at least 1.
[[nodiscard]] inline std::size_t affinity_cpus() {
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t* const set = CPU_ALLOC(static_cast<std::size_t>(cpus));
        if (set == nullptr) { break; }
        const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
        const bool known = ::sched_getaffinity(0, size, set) == 0;
        const int error = errno;
        const int count = known ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (known) { return static_cast<std::size_t>(std::max(count, 1)); }
        if (error != EINVAL) { break; }  // EINVAL: the kernel knows more CPUs than the mask has room for
    }
    return 1;
}

}  // namespace procpool::os

namespace procpool {

/// The number of CPUs this process may use: its affinity mask, cut by every cgroup quota above it (rounded up); never 0, and no more than a pool
/// may have workers. The environment variable PROCPOOL_WORKERS overrides it.
/// Throws: std::invalid_argument when PROCPOOL_WORKERS is not a number of workers that a pool may have.
[[nodiscard]] inline std::size_t usable_cpus() {
    if (const char* const text = std::getenv("PROCPOOL_WORKERS"); text != nullptr && *text != '\0') {
        char* end = nullptr;
        errno = 0;
        const long value = std::strtol(text, &end, 10);
        if (errno != 0 || *end != '\0' || value <= 0 || value > static_cast<long>(os::most_workers)) {
            throw std::invalid_argument("procpool: PROCPOOL_WORKERS must be a number from 1 to " + std::to_string(os::most_workers) + ", not '" + text + "'");
        }
        return static_cast<std::size_t>(value);
    }
    const double quota = std::ceil(os::Limits{}.cpu_quota());
    const std::size_t cpus = std::min(os::affinity_cpus(), os::most_workers);
    return quota < static_cast<double>(cpus) ? std::max<std::size_t>(1, static_cast<std::size_t>(quota)) : cpus;
}

}  // namespace procpool

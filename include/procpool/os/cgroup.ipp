// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/cgroup.hpp>
#include <procpool/os/file.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

namespace procpool::inline v0::detail::os {

/// Returns: the number that the text begins with, after spaces.
[[nodiscard]] PROCPOOL_DECL std::optional<std::int64_t> number_in(std::string_view text) noexcept {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    std::int64_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) { return std::nullopt; }
    return value;
}

/// Effects: takes the first line away from `rest`. Returns: the line.
[[nodiscard]] PROCPOOL_DECL std::string_view take_line(std::string_view& rest) noexcept {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    return line;
}

/// Returns: the number behind `name` at the start of a line.
[[nodiscard, gnu::noinline]] PROCPOOL_DECL std::optional<std::uint64_t> field(std::string_view text,
                                                                              std::string_view name) noexcept {
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        if (!line.starts_with(name) || (name.back() != ':' && !line.substr(name.size()).starts_with(' '))) { continue; }
        const auto value = number_in(line.substr(name.size()));
        if (!value || *value < 0) { return std::nullopt; }
        return static_cast<std::uint64_t>(*value);
    }
    return std::nullopt;
}

[[gnu::noinline]] PROCPOOL_DECL void add_with_ancestors(std::vector<std::string>& groups, const std::string& mount,
                                                        std::string path) {
    while (!path.empty() && path != "/") {
        groups.push_back(mount + path);
        path.erase(path.find_last_of('/'));
    }
    groups.push_back(mount);
}

[[gnu::noinline]] PROCPOOL_DECL Limits::Limits(std::string root) : root_(std::move(root)) { find_groups(); }

[[gnu::noinline]] PROCPOOL_DECL double Limits::cpu_quota() const {
    double least = std::numeric_limits<double>::infinity();
    const auto limit_to = [&](std::optional<std::int64_t> quota, std::optional<std::int64_t> period) {
        if (quota && period && *quota > 0 && *period > 0) {
            least = std::min(least, static_cast<double>(*quota) / static_cast<double>(*period));
        }
    };
    for (const std::string& group : unified_) {
        const std::string text = read(group + "/cpu.max");
        const std::size_t space = std::min(text.find(' '), text.size());
        limit_to(number_in(text), number_in(std::string_view{text}.substr(space)));
    }
    for (const std::string& group : cpu_) {
        limit_to(number(group + "/cpu.cfs_quota_us"), number(group + "/cpu.cfs_period_us"));
    }
    return least;
}

[[gnu::noinline]] PROCPOOL_DECL std::uint64_t Limits::available_memory(std::uint64_t enough) const {
    constexpr std::int64_t unlimited = std::int64_t{1} << 60;  // version 1 says so with a number near the largest
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    if (const auto kilobytes = field(read("/proc/meminfo"), "MemAvailable:")) { least = *kilobytes * 1024; }
    using Returnable = std::uint64_t (*)(std::string_view stat);
    const auto limit_to = [&](const std::string& group, const char* limit_file, const char* used_file,
                              Returnable returnable) {
        const auto limit = number(group + limit_file);
        if (!limit || *limit < 0 || *limit >= unlimited) { return; }
        const auto used = number(group + used_file);
        if (!used) { return; }
        std::uint64_t left = static_cast<std::uint64_t>(std::max<std::int64_t>(0, *limit - *used));
        if (left < std::min(least, enough)) {
            const std::uint64_t firm =
                static_cast<std::uint64_t>(*used) -
                std::min(static_cast<std::uint64_t>(*used), returnable(read(group + "/memory.stat")));
            left = static_cast<std::uint64_t>(*limit) - std::min(static_cast<std::uint64_t>(*limit), firm);
        }
        least = std::min(least, left);
    };
    // Shared memory is no file here, and counts as used. About half of the kernel's own caches comes back at the first
    // try.
    for (const std::string& group : unified_) {
        limit_to(group, "/memory.max", "/memory.current", [](std::string_view stat) {
            return field(stat, "active_file").value_or(0) + field(stat, "inactive_file").value_or(0) +
                   field(stat, "slab_reclaimable").value_or(0) / 2;
        });
    }
    for (const std::string& group : memory_) {  // those with "total_" include the groups below, as the usage does
        limit_to(group, "/memory.limit_in_bytes", "/memory.usage_in_bytes", [](std::string_view stat) {
            return field(stat, "total_active_file").value_or(0) + field(stat, "total_inactive_file").value_or(0);
        });
    }
    return least;
}

/// The first line is "some avg10=1.23 avg60=...".
[[gnu::noinline]] PROCPOOL_DECL double Limits::memory_pressure() const {
    std::string text = unified_.empty() ? std::string{} : read(unified_.front() + "/memory.pressure");
    if (text.empty()) { text = read("/proc/pressure/memory"); }
    constexpr std::string_view begin = "some avg10=";
    if (!text.starts_with(begin)) { return 0; }
    double share = 0;
    std::from_chars(text.data() + begin.size(), text.data() + text.size(), share);
    return share;
}

[[gnu::noinline]] PROCPOOL_DECL std::string Limits::read(const std::string& path) const {
    return text_of_file((root_ + path).c_str());
}

PROCPOOL_DECL std::optional<std::int64_t> Limits::number(const std::string& path) const {
    return number_in(read(path));
}

/// Every line of /proc/self/cgroup is "number:controllers:path"; version 2 has no controllers there.
[[gnu::noinline]] PROCPOOL_DECL void Limits::find_groups() {
    const std::string all = read("/proc/self/cgroup");
    for (std::string_view rest{all}; !rest.empty();) {
        const std::string_view line = take_line(rest);
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) { continue; }
        std::string controllers{','};
        controllers.append(line.substr(first + 1, second - first - 1)).push_back(',');
        const std::string path{line.substr(second + 1)};
        if (!path.starts_with('/')) { continue; }
        if (controllers == ",,") { add_with_ancestors(unified_, "/sys/fs/cgroup", path); }
        if (controllers.find(",cpu,") != std::string::npos) { add_with_ancestors(cpu_, "/sys/fs/cgroup/cpu", path); }
        if (controllers.find(",memory,") != std::string::npos) {
            add_with_ancestors(memory_, "/sys/fs/cgroup/memory", path);
        }
    }
}

}  // namespace procpool::detail::os

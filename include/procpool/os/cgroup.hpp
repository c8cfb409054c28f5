// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Limits: the CPUs and the memory that the machine and every control group above this process allow.

#include <procpool/core/config.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace procpool::inline v0::detail::os {

/// Reads limits from files below `root`, "" for the machine itself. Files that are missing or malformed limit nothing.
class Limits {
public:
    explicit Limits(std::string root = {});

    /// The CPUs that quotas above this process allow together; infinity without a quota.
    [[nodiscard]] double cpu_quota() const;

    /// Bytes that can still be used: the machine's, or those a group above this process has left. Memory that the
    /// kernel gives back at once counts as left: otherwise a container that has read files would have nothing. Where at
    /// least `enough` is left without that, it is not looked at. memory.high is no limit here: a group beyond it is
    /// slowed down, and no process is killed for it.
    [[nodiscard]] std::uint64_t available_memory(std::uint64_t enough = UINT64_MAX) const;

    /// The share of the last ten seconds, in per cent, in which some process of this one's group waited for memory; of
    /// the machine's, where groups are not told. 0: the system does not tell.
    [[nodiscard]] double memory_pressure() const;

private:
    [[nodiscard]] std::string read(const std::string& path) const;
    [[nodiscard]] std::optional<std::int64_t> number(const std::string& path) const;
    void find_groups();

    std::string root_;
    std::vector<std::string> unified_;
    std::vector<std::string> cpu_;
    std::vector<std::string> memory_;
};

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/cgroup.ipp>
#endif

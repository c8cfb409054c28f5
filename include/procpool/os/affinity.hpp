// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// CpuSet: some of this machine's CPUs, such as those that the scheduler may give to a thread; memory_nodes(): those
/// that are near to one memory.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace procpool::inline v0::detail::os {

/// The CPUs of this machine that are on, at least 1.
[[nodiscard]] std::size_t online_cpus();
/// The CPUs in this thread's affinity mask, at least 1.
[[nodiscard]] std::size_t affinity_cpus();

/// CPUs by their numbers.
class CpuSet {
public:
    /// No kernel knows as many.
    static constexpr std::size_t most = std::size_t{1} << 20;

    CpuSet() = default;
    /// Returns: the CPUs that the scheduler may give to the calling thread; nothing where that cannot be asked.
    [[nodiscard]] static std::optional<CpuSet> of_this_thread();
    /// Returns: the set that a text such as "0-3,8-11" means, with or without the end of the line, as files of sysfs
    /// have it; nothing when it means none. An empty text is an empty set.
    [[nodiscard]] static std::optional<CpuSet> in_text(std::string_view text);

    /// Requires: cpu < most. Throws: std::bad_alloc.
    void add(std::size_t cpu);
    [[nodiscard]] bool has(std::size_t cpu) const noexcept;
    [[nodiscard]] std::size_t count() const noexcept;
    [[nodiscard]] bool empty() const noexcept { return count() == 0; }
    /// Returns: the numbers, from the lowest.
    [[nodiscard]] std::vector<std::size_t> numbers() const;
    /// Returns: the CPUs that are in both.
    [[nodiscard]] CpuSet operator&(const CpuSet& other) const;

    /// Effects: the calling thread, and what it forks or starts from then on, runs on these CPUs only. Returns: 0, or
    /// the error. Called by: also a child right after its fork.
    [[nodiscard]] int bind_this_thread() const noexcept;

private:
    static constexpr std::size_t bits = 8 * sizeof(unsigned long);
    std::vector<unsigned long> words_;  // as the kernel has them
};

/// Returns: the CPUs of each memory node, by the node's number, as far as they are allowed; nodes without one are left
/// out. All of them as one, where the machine tells of no nodes. folder: where it tells of them.
[[nodiscard]] std::vector<CpuSet> memory_nodes(const CpuSet& allowed,
                                               std::string_view folder = "/sys/devices/system/node");

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/affinity.ipp>
#endif

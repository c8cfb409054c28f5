// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Flows: what a trace tells of tasks that depend on others.

#include <procpool/core/config.hpp>
#include <procpool/log/trace.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace procpool::inline v0::detail::log {

/// Gets every edge of a trace, then its runs, in the order in which they were added to it: a task's come after those of
/// its dependencies.
class Flows {
public:
    void add_edge(const TraceRecord& edge);
    void add_run(const TraceRecord& run);

    /// Returns: the numbers of the tasks that this one depends on, in the order of its arguments, each once.
    [[nodiscard]] std::span<const std::uint64_t> dependencies_of(const TraceRecord& run) const;
    /// When the task could have run: when it was submitted, or when the last of its dependencies ended after that.
    [[nodiscard]] std::int64_t ready_at(const TraceRecord& run) const;
    /// Returns: the last run of a task that others depend on; nothing when there was none.
    [[nodiscard]] std::optional<TraceRecord> last_run(std::uint32_t pool, std::uint64_t task) const;
    /// Returns: whether this is the first look at a run of that task.
    [[nodiscard]] bool is_first(const TraceRecord& run);

private:
    struct Name {
        std::uint32_t pool;
        std::uint64_t task;
        bool operator==(const Name&) const = default;
    };
    struct Hash {
        [[nodiscard]] std::size_t operator()(const Name& name) const noexcept {
            constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;
            return (name.task + name.pool * golden) * golden >> 16;
        }
    };
    struct Dependant {
        std::vector<std::uint64_t> dependencies = {};
        bool was_seen = false;
    };
    struct Dependency {
        std::uint64_t newest_dependant = 0;  // a task's edges are together in the trace
        std::optional<TraceRecord> last_run = {};
    };

    std::unordered_map<Name, Dependant, Hash> dependants_;
    std::unordered_map<Name, Dependency, Hash> dependencies_;
};

}  // namespace procpool::detail::log

#if PROCPOOL_BODIES
#include <procpool/log/flows.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/ending.hpp>

#include <array>
#include <cstdio>

namespace procpool::inline v0 {

PROCPOOL_DECL std::string_view to_string(Ending ending) noexcept {
    switch (ending) {
        case Ending::value: return "value";
        case Ending::exception: return "exception";
        case Ending::died: return "worker died";
        case Ending::timed_out: return "timed out";
        case Ending::cancelled: return "cancelled";
        case Ending::terminated: return "terminated";
        case Ending::broken: return "broken";
        case Ending::overwritten: return "overwritten";
        case Ending::memory_exceeded: return "memory limit exceeded";
        case Ending::node_lost: break;
    }
    return "node lost";
}

namespace detail::core {

/// "1.5 s"
[[nodiscard]] PROCPOOL_DECL std::string seconds_in(std::chrono::nanoseconds time) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.9g s", std::chrono::duration<double>(time).count());
    return text.data();
}

/// "1.5 GB"
[[nodiscard]] PROCPOOL_DECL std::string text_of_bytes(std::uint64_t bytes) {
    auto value = static_cast<double>(bytes);
    const char* unit = "bytes";
    for (const char* const larger : {"kB", "MB", "GB", "TB"}) {
        if (value < 1000) { break; }
        value /= 1000;
        unit = larger;
    }
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.4g %s", value, unit);
    return text.data();
}

PROCPOOL_DECL std::string sentence(Ending ending, const EndingDetails& details) {
    const std::string worker{details.worker};
    const std::string task{details.task};
    const std::string stopped = worker.empty() ? std::string{} : worker + " was stopped: ";
    if (ending == Ending::timed_out) {
        return stopped + task + " exceeded its timeout of " + seconds_in(details.timeout);
    }
    if (ending == Ending::memory_exceeded) {
        return stopped + task + " exceeded its memory limit of " + text_of_bytes(details.excess.limit) + ", with " +
               text_of_bytes(details.excess.resident);
    }
    if (ending == Ending::cancelled) { return stopped + task + " was cancelled"; }
    if (!worker.empty()) { return worker + " " + to_string(details.status) + " while it ran " + task; }
    switch (ending) {
        case Ending::value: return task + " returned";
        case Ending::exception: return task + " threw";
        case Ending::broken: return "the pool is broken: " + std::string(details.reason);
        case Ending::overwritten: return task + " is lost: a task has written where the pool kept it";
        case Ending::died: return "the worker of " + task + " died";
        case Ending::node_lost: return "the machine of " + task + ", " + std::string(details.host) + ", fell silent";
        case Ending::timed_out:
        case Ending::memory_exceeded:
        case Ending::cancelled:
        case Ending::terminated: break;
    }
    return "the pool was terminated before " + task + " finished";
}

PROCPOOL_DECL std::string task_name(std::string_view label, std::optional<std::size_t> item) {
    std::string name{label};
    if (item) { name += (name.empty() ? "item " : ", item ") + std::to_string(*item); }
    return name.empty() ? "a task" : "task '" + name + "'";
}

}  // namespace detail::core

}  // namespace procpool

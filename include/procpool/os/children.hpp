// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Many children of one process: sleep until one ends, see which, reap it. For the supervisor, which runs no user code.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/os/descriptor.hpp>

#include <sys/types.h>
#include <array>
#include <cstddef>
#include <optional>

namespace procpool::inline v0::detail::os {

/// Readable when a child has changed its state. Requires: SIGCHLD is blocked and not ignored.
[[nodiscard]] Descriptor watch_children() noexcept;

void drain_signals(const Descriptor& from) noexcept;

inline constexpr std::size_t most_watched = 8;

/// As wait_any_readable() below, for `count` descriptors. Requires: count <= most_watched.
void wait_any_readable(const int* descriptors, bool* readable, std::size_t count, Deadline deadline) noexcept;

/// Sleeps until one of the descriptors is readable, or the deadline; may return early. Returns: which are; one that is
/// not open never is.
template <std::size_t n>
[[nodiscard]] std::array<bool, n> wait_any_readable(const std::array<int, n>& descriptors, Deadline deadline) noexcept {
    static_assert(n <= most_watched);
    std::array<bool, n> readable{};
    wait_any_readable(descriptors.data(), readable.data(), n, deadline);
    return readable;
}

struct EndedChild {
    pid_t pid;
    ExitStatus status;
};

/// Returns: a child that has ended and keeps its number until reap(); nothing when there is none now.
[[nodiscard]] std::optional<EndedChild> ended_child() noexcept;

/// Returns: a child that was stopped, each stop once; 0 when there is none now.
[[nodiscard]] pid_t stopped_child() noexcept;

void reap(pid_t child) noexcept;

/// Waits until this process has no children left.
void reap_all_children() noexcept;

/// Signals a child that is not reaped, and everything in its group.
void signal_group(pid_t leader, int number) noexcept;

void signal_child(pid_t child, int number) noexcept;

/// Effects: what the process has from watch_children() is readable, as if a child had ended.
void wake_watcher(pid_t process) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/children.ipp>
#endif

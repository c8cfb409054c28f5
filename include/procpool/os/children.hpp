// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// What a process with many children needs: to sleep until one ends, to see which, to reap it. For a process that is
/// all ours.

#include <procpool/core/deadline.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/yield.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>
#include <functional>
#include <optional>

namespace procpool::inline v0::detail::os {

/// Readable when a child has changed its state. Requires: SIGCHLD is blocked and not ignored.
[[nodiscard]] inline Descriptor watch_children() noexcept {
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    return Descriptor{try_call("signalfd", [&] { return ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK); })};
}

inline void drain_signals(const Descriptor& from) noexcept {
    signalfd_siginfo drained{};
    while (::read(from.number(), &drained, sizeof drained) > 0) {}
}

/// Sleeps until one of the descriptors is readable, or the deadline; may return early. Returns: which are; what is not
/// open never is.
template <std::size_t n>
[[nodiscard]] std::array<bool, n> wait_any_readable(const std::array<int, n>& descriptors, Deadline deadline) noexcept {
    std::array<pollfd, n> entries{};
    for (std::size_t i = 0; i < n; ++i) { entries[i] = {descriptors[i], POLLIN, 0}; }
    timespec timeout{};
    if (!deadline.is_never()) {
        const auto left = std::max(Clock::duration{}, deadline.when() - Clock::now());
        timeout.tv_sec = static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(left).count());
        timeout.tv_nsec = static_cast<long>((left % std::chrono::seconds{1}).count());
    }
    std::array<bool, n> readable{};
    if (::ppoll(entries.data(), n, deadline.is_never() ? nullptr : &timeout, nullptr) > 0) {
        for (std::size_t i = 0; i < n; ++i) { readable[i] = (entries[i].revents & ~POLLNVAL) != 0; }
        if (std::ranges::none_of(readable, std::identity{})) { nap(); }  // it would return at once again and again
    }
    return readable;
}

struct EndedChild {
    pid_t pid;
    ExitStatus status;
};

/// Returns: a child that has ended and keeps its number until reap(); nothing when there is none now.
[[nodiscard]] inline std::optional<EndedChild> ended_child() noexcept {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) { return std::nullopt; }
    return EndedChild{info.si_pid, exit_status_of(info)};
}

/// Returns: a child that was stopped, each stop once; 0 when there is none now.
[[nodiscard]] inline pid_t stopped_child() noexcept {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG) == 0 ? info.si_pid : 0;
}

inline void reap(pid_t child) noexcept { ::waitid(P_PID, static_cast<id_t>(child), nullptr, WEXITED); }

/// Waits until this process has no children left.
inline void reap_all_children() noexcept {
    while (::waitid(P_ALL, 0, nullptr, WEXITED) == 0 || errno == EINTR) {}
}

/// Signals a child that is not reaped, and everything in its group.
inline void signal_group(pid_t leader, int number) noexcept {
    ::kill(-leader, number);
    ::kill(leader, number);  // it may have left its group
}

inline void signal_child(pid_t child, int number) noexcept { ::kill(child, number); }

}  // namespace procpool::detail::os

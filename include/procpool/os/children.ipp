// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/children.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/yield.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL Descriptor watch_children() noexcept {
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    return Descriptor{try_call("signalfd", [&] { return ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK); })};
}

PROCPOOL_DECL void drain_signals(const Descriptor& from) noexcept {
    signalfd_siginfo drained{};
    while (::read(from.number(), &drained, sizeof drained) > 0) {}
}

PROCPOOL_DECL void wait_any_readable(const int* descriptors, bool* readable, std::size_t count,
                                     Deadline deadline) noexcept {
    std::array<pollfd, most_watched> entries{};
    for (std::size_t i = 0; i < count; ++i) { entries[i] = {descriptors[i], POLLIN, 0}; }
    timespec timeout{};
    if (!deadline.is_never()) {
        const auto left = std::max(Clock::duration{}, deadline.when() - Clock::now());
        timeout.tv_sec = static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(left).count());
        timeout.tv_nsec = static_cast<long>((left % std::chrono::seconds{1}).count());
    }
    if (::ppoll(entries.data(), count, deadline.is_never() ? nullptr : &timeout, nullptr) <= 0) { return; }
    bool any = false;
    for (std::size_t i = 0; i < count; ++i) {
        readable[i] = (entries[i].revents & ~POLLNVAL) != 0;
        any = any || readable[i];
    }
    if (!any) { nap(); }  // it would return at once again and again
}

PROCPOOL_DECL std::optional<EndedChild> ended_child() noexcept {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) { return std::nullopt; }
    return EndedChild{info.si_pid, exit_status_of(info.si_code, info.si_status)};
}

PROCPOOL_DECL pid_t stopped_child() noexcept {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG) == 0 ? info.si_pid : 0;
}

PROCPOOL_DECL void reap(pid_t child) noexcept { ::waitid(P_PID, static_cast<id_t>(child), nullptr, WEXITED); }

PROCPOOL_DECL void reap_all_children() noexcept {
    while (::waitid(P_ALL, 0, nullptr, WEXITED) == 0 || errno == EINTR) {}
}

PROCPOOL_DECL void signal_group(pid_t leader, int number) noexcept {
    ::kill(-leader, number);
    ::kill(leader, number);  // it may have left its group
}

PROCPOOL_DECL void signal_child(pid_t child, int number) noexcept { ::kill(child, number); }

PROCPOOL_DECL void wake_watcher(pid_t process) noexcept { ::kill(process, SIGCHLD); }

}  // namespace procpool::detail::os

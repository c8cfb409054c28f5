// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/yield.hpp>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <vector>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL Descriptor open_pidfd(pid_t pid) noexcept {
    return Descriptor{try_call("pidfd_open", [pid] { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); })};
}

PROCPOOL_DECL ExitStatus exit_status_of(int code, int status) noexcept {
    return code == CLD_EXITED ? ExitStatus::from_code(status) : ExitStatus::from_signal(status);
}

/// Returns: how long poll() is to wait.
[[nodiscard]] PROCPOOL_DECL int milliseconds_to(Deadline deadline) noexcept {
    if (deadline.is_never()) { return -1; }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.when() - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, INT_MAX));
}

PROCPOOL_DECL void wait_any_readable(std::span<const int> descriptors, Deadline deadline) {
    std::vector<pollfd> entries;
    for (const int descriptor : descriptors) { entries.push_back({descriptor, POLLIN, 0}); }
    static_cast<void>(::poll(entries.data(), entries.size(), milliseconds_to(deadline)));
    // It would return at once again and again.
    if (std::ranges::any_of(entries, [](const pollfd& entry) { return (entry.revents & POLLNVAL) != 0; })) { nap(); }
}

PROCPOOL_DECL bool wait_readable(int descriptor, Deadline deadline) noexcept {
    for (;;) {
        pollfd entry{descriptor, POLLIN, 0};
        const int ready = ::poll(&entry, 1, milliseconds_to(deadline));
        if (ready > 0) { return (entry.revents & POLLNVAL) == 0; }
        if (ready == 0 && deadline.passed()) { return false; }
        if (ready < 0 && errno != EINTR) { return false; }
    }
}

PROCPOOL_DECL bool Child::has_ended() const noexcept {
    if (has_ended_by_number()) { return true; }
    // The child runs; or another part of the program has reaped it, and its number is another child's by now; the pidfd
    // decides.
    return pidfd_ && wait_readable(pidfd_.number(), Deadline::immediately()) && pidfd_.is_intact();
}

PROCPOOL_DECL bool Child::wait_for_end(Deadline deadline) const noexcept {
    // The program may close a descriptor, and take its number, while this waits for it.
    constexpr std::chrono::seconds longest{1};
    while (!has_ended()) {
        if (deadline.passed()) { return false; }
        const Deadline next = deadline.or_sooner(Deadline::after(longest));
        if (pidfd_ && pidfd_.is_intact()) {
            static_cast<void>(wait_readable(pidfd_.number(), next));
        } else if (const Descriptor other = pidfd_ ? open_pidfd(pid_) : Descriptor{}) {
            // Serves this wait only; has_ended() has checked whose number it is.
            static_cast<void>(wait_readable(other.number(), next));
        } else {
            nap();
        }
    }
    return true;
}

PROCPOOL_DECL std::optional<ExitStatus> Child::reap() const noexcept {
    siginfo_t info{};
    for (;;) {
        if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) == 0) {
            return exit_status_of(info.si_code, info.si_status);
        }
        if (errno != EINTR) { return std::nullopt; }
    }
}

PROCPOOL_DECL bool Child::signal(int number) const noexcept {
    if (pidfd_.is_intact()) {
        const auto sent = try_call(
            "pidfd_send_signal", [&] { return ::syscall(SYS_pidfd_send_signal, pidfd_.number(), number, nullptr, 0); });
        if (sent == 0 || errno == ESRCH) { return true; }
        // Otherwise a filter of system calls may know only the older one.
    }
    return has_ended() || try_call("kill", [&] { return ::kill(pid_, number); }) == 0 || errno == ESRCH;
}

PROCPOOL_DECL bool Child::has_ended_by_number() const noexcept {
    siginfo_t info{};
    const int result = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return result != 0 || info.si_pid != 0;
}

PROCPOOL_DECL pid_t this_process() noexcept { return ::getpid(); }
PROCPOOL_DECL pid_t parent_process() noexcept { return ::getppid(); }
PROCPOOL_DECL bool in_first_thread() noexcept { return ::syscall(SYS_gettid) == ::getpid(); }

PROCPOOL_DECL bool is_gone(pid_t pid) noexcept { return ::kill(pid, 0) != 0 && errno == ESRCH; }

PROCPOOL_DECL void leave(int status) noexcept { ::_exit(status); }

PROCPOOL_DECL void lead_group(pid_t process) noexcept { ::setpgid(process, process); }

PROCPOOL_DECL void name_process(const char* name) noexcept { ::prctl(PR_SET_NAME, name); }

PROCPOOL_DECL pid_t try_fork() noexcept {
    return try_call("fork", [] { return ::fork(); });
}

PROCPOOL_DECL bool die_with_parent(pid_t parent) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    return ::getppid() == parent;
}

}  // namespace procpool::detail::os

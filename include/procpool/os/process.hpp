// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Child processes: fork, wait for exactly one, signal without hitting a stranger.

#include <procpool/core/deadline.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/yield.hpp>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <optional>

namespace procpool::inline v0::detail::os {

/// Returns: a descriptor that is readable once the process has ended; none where the kernel has no pidfds.
[[nodiscard]] inline Descriptor open_pidfd(pid_t pid) noexcept {
    return Descriptor{try_call("pidfd_open", [pid] { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); })};
}

[[nodiscard]] inline ExitStatus exit_status_of(const siginfo_t& info) noexcept {
    return info.si_code == CLD_EXITED ? ExitStatus::from_code(info.si_status) : ExitStatus::from_signal(info.si_status);
}

/// Waits for readability up to the deadline. Returns: whether it is readable; false at once when it is not open.
[[nodiscard]] inline bool wait_readable(int descriptor, Deadline deadline) noexcept {
    for (;;) {
        int milliseconds = -1;
        if (!deadline.is_never()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.when() - Clock::now()).count();
            milliseconds = static_cast<int>(std::clamp<long long>(left, 0, INT_MAX));
        }
        pollfd entry{descriptor, POLLIN, 0};
        const int ready = ::poll(&entry, 1, milliseconds);
        if (ready > 0) { return (entry.revents & POLLNVAL) == 0; }
        if (ready == 0 && deadline.passed()) { return false; }
        if (ready < 0 && errno != EINTR) { return false; }
    }
}

/// One child of this process. It may be reaped by somebody else (a loop over waitpid(-1), or SIGCHLD ignored): then it
/// has ended.
class Child {
public:
    Child() noexcept = default;
    explicit Child(pid_t pid) noexcept : pid_(pid), pidfd_(open_pidfd(pid)) {}

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] explicit operator bool() const noexcept { return pid_ > 0; }

    /// Does not reap.
    [[nodiscard]] bool has_ended() const noexcept {
        if (has_ended_by_number()) { return true; }
        // It runs; or it was reaped by others, and its number is that of another child by now, which the pidfd tells.
        return pidfd_ && wait_readable(pidfd_.number(), Deadline::immediately()) && pidfd_.is_intact();
    }

    [[nodiscard]] bool wait_for_end(Deadline deadline) const noexcept {
        constexpr std::chrono::seconds longest{
            1};  // the program may close a descriptor, and take its number, while this waits for it
        while (!has_ended()) {
            if (deadline.passed()) { return false; }
            const Deadline next = deadline.or_sooner(Deadline::after(longest));
            if (pidfd_ && pidfd_.is_intact()) {
                static_cast<void>(wait_readable(pidfd_.number(), next));
            } else if (const Descriptor other =
                           pidfd_ ? open_pidfd(pid_)
                                  : Descriptor{}) {  // for this wait; has_ended() has seen whose number it is
                static_cast<void>(wait_readable(other.number(), next));
            } else {
                nap();
            }
        }
        return true;
    }

    /// Takes its status from the kernel. Requires: it has ended, or the caller wants to wait; called once.
    /// Returns: nothing when somebody else has taken it.
    std::optional<ExitStatus> reap() const noexcept {
        siginfo_t info{};
        for (;;) {
            if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) == 0) { return exit_status_of(info); }
            if (errno != EINTR) { return std::nullopt; }
        }
    }

    /// Readable when it has ended; -1 where the kernel has no pidfds, and when the program has closed it.
    [[nodiscard]] int descriptor() const noexcept { return pidfd_.is_intact() ? pidfd_.number() : -1; }

    /// Sends a signal to exactly this process, also if its number has a new owner.
    /// Returns: false when the system refuses, because the child has changed its user, say. A child that has ended is
    /// none to refuse.
    bool signal(int number) const noexcept {
        if (pidfd_.is_intact()) {
            const auto sent = try_call("pidfd_send_signal", [&] {
                return ::syscall(SYS_pidfd_send_signal, pidfd_.number(), number, nullptr, 0);
            });
            if (sent == 0 || errno == ESRCH) {
                return true;
            }  // otherwise a filter of system calls may know only the older one
        }
        return has_ended() || try_call("kill", [&] { return ::kill(pid_, number); }) == 0 || errno == ESRCH;
    }

private:
    /// Whether there is no such child that runs.
    [[nodiscard]] bool has_ended_by_number() const noexcept {
        siginfo_t info{};
        const int result = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
        return result != 0 || info.si_pid != 0;
    }

    pid_t pid_ = 0;
    Descriptor pidfd_;  // open does not mean intact
};

[[nodiscard]] inline pid_t this_process() noexcept { return ::getpid(); }
[[nodiscard]] inline pid_t parent_process() noexcept { return ::getppid(); }
/// Whether the caller is the thread that the process began with.
[[nodiscard]] inline bool in_first_thread() noexcept { return ::syscall(SYS_gettid) == ::getpid(); }

/// Whether no process has this number; one that has ended keeps it until it is reaped.
[[nodiscard]] inline bool is_gone(pid_t pid) noexcept { return ::kill(pid, 0) != 0 && errno == ESRCH; }

/// Ends the process at once: nothing registered runs, nothing is flushed.
[[noreturn]] inline void leave(int status) noexcept { ::_exit(status); }

/// Effects: `process` (0: this one) leads a process group of its own.
inline void lead_group(pid_t process) noexcept { ::setpgid(process, process); }

/// Effects: ps and top show this name, cut to 15 characters.
inline void name_process(const char* name) noexcept { ::prctl(PR_SET_NAME, name); }

/// Returns: 0 in the child, its number in the parent, -1 with errno when it fails.
[[nodiscard]] inline pid_t try_fork() noexcept {
    return try_call("fork", [] { return ::fork(); });
}

/// Effects: the caller is killed when the thread that forked it ends, until it changes its user. Called by: a child
/// whose parent has one thread or forked it in its first; again after user code that may have changed the user.
/// Returns: false when `parent` was gone before, or is in another PID namespace.
[[nodiscard]] inline bool die_with_parent(pid_t parent) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    return ::getppid() == parent;
}

}  // namespace procpool::detail::os

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Child processes: fork, wait for exactly one, signal without hitting a stranger.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/os/descriptor.hpp>

#include <sys/types.h>
#include <optional>
#include <span>

namespace procpool::inline v0::detail::os {

/// Returns: a descriptor that is readable once the process has ended; none where the kernel has no pidfds.
[[nodiscard]] Descriptor open_pidfd(pid_t pid) noexcept;

/// Returns: how a child ended, by the fields si_code and si_status of its siginfo_t.
[[nodiscard]] ExitStatus exit_status_of(int code, int status) noexcept;

/// Waits for readability up to the deadline. Returns: whether it is readable; false at once when it is not open.
[[nodiscard]] bool wait_readable(int descriptor, Deadline deadline) noexcept;

/// Sleeps until one of the descriptors is readable, or the deadline; may return early. Throws: std::bad_alloc.
void wait_any_readable(std::span<const int> descriptors, Deadline deadline);

/// One child of this process. It may be reaped by another part of the program (a loop over waitpid(-1), or SIGCHLD
/// ignored): then it has ended.
class Child {
public:
    Child() noexcept = default;
    explicit Child(pid_t pid) noexcept : pid_(pid), pidfd_(open_pidfd(pid)) {}

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] explicit operator bool() const noexcept { return pid_ > 0; }

    /// Does not reap.
    [[nodiscard]] bool has_ended() const noexcept;

    [[nodiscard]] bool wait_for_end(Deadline deadline) const noexcept;

    /// Takes its status from the kernel. Requires: it has ended, or the caller wants to wait; called once.
    /// Returns: nothing when another part of the program has taken it.
    std::optional<ExitStatus> reap() const noexcept;

    /// Readable when it has ended; -1 where the kernel has no pidfds, and when the program has closed it.
    [[nodiscard]] int descriptor() const noexcept { return pidfd_.is_intact() ? pidfd_.number() : -1; }

    /// Sends a signal to exactly this process, also if its number has a new owner.
    /// Returns: false when the system refuses, because the child has changed its user, say. A child that has ended is
    /// none to refuse.
    bool signal(int number) const noexcept;

private:
    /// Whether no running child has this number.
    [[nodiscard]] bool has_ended_by_number() const noexcept;

    pid_t pid_ = 0;
    Descriptor pidfd_;  // open does not mean intact
};

[[nodiscard]] pid_t this_process() noexcept;
[[nodiscard]] pid_t parent_process() noexcept;
/// Whether the caller is the thread that the process began with.
[[nodiscard]] bool in_first_thread() noexcept;

/// Whether no process has this number; one that has ended keeps it until it is reaped.
[[nodiscard]] bool is_gone(pid_t pid) noexcept;

/// Ends the process at once: nothing registered runs, nothing is flushed.
[[noreturn]] void leave(int status) noexcept;

/// Effects: `process` (0: this one) leads a process group of its own.
void lead_group(pid_t process) noexcept;

/// Effects: ps and top show this name, cut to 15 characters.
void name_process(const char* name) noexcept;

/// Returns: 0 in the child, its number in the parent, -1 with errno when it fails.
[[nodiscard]] pid_t try_fork() noexcept;

/// Effects: the kernel kills the caller when the thread that forked it ends, until the caller changes its user. Called
/// by: a child whose parent has one thread or forked it in its first; again after user code that may have changed the
/// user.
/// Returns: false when `parent` was gone before, or is in another PID namespace.
[[nodiscard]] bool die_with_parent(pid_t parent) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/process.ipp>
#endif

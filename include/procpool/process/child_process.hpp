// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ChildProcess: a child of this process that runs one function, and how it ended.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/life_line.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/signals.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <utility>

namespace procpool::inline v0::detail::process {

/// The child's message to its parent, at the start of a page that both share. All-zero memory is the valid initial
/// state.
struct ExitRecord {
    std::atomic<std::uint32_t> exit_code;   // plus 1, once the child has called exit()
    std::atomic<std::uint32_t> error_size;  // bytes behind this: the exception that it ended by; 0: none
    static constexpr std::size_t most = std::size_t{1} << 20;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free,
              "a lock of the library's own would be private to each process");

/// The child's side.
class ChildMain {
public:
    using Run = int (*)(void* what);

    /// The parent's settings for a child it is about to fork.
    struct Start {
        const std::string& name;
        std::byte* page;
        pid_t parent;
        bool in_first_thread;  ///< of the parent
        os::Descriptor alive;  ///< a pidfd of the parent, if there are any
        Run run;
        void* what;
    };

    /// Effects: runs the child from the fork to its end, in the process group of its parent. Called by: the child, with
    /// all signals blocked.
    [[noreturn]] static void live(Start& start) noexcept;

private:
    /// Ends the child when any code in it calls exit(): functions that the child gave to atexit() have run by now,
    /// those that its parent gave must not.
    static void leave_on_exit(int status, bool quick) noexcept;

    static void report(const std::string& name, const std::exception_ptr& thrown) noexcept;

    /// Effects: the kernel wakes this process at its parent's end if it is stopped, and ends what it may be executing
    /// by then. Once it executes another program, SIGIO has its default action.
    static void stay_with_parent(const os::LifeLine::Watch& watch) noexcept;

    /// Effects: a thread kills this process when its parent ends, also if this one has changed its user meanwhile.
    static void kill_when_gone(os::LifeLine::Watch watch);

    static inline constinit pid_t self_ = 0;
    static inline constinit ExitRecord* record_ = nullptr;
    static inline constinit const os::LifeLine::Watch* watch_ = nullptr;
};

/// The parent's side. Called by: any thread of the process that launched it, unless said otherwise.
class ChildProcess {
public:
    /// Effects: forks a child that calls run(what). Throws: std::system_error, SharedMemoryExhausted; there is no child
    /// then.
    ChildProcess(std::string name, ChildMain::Run run, void* what);
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    /// Whether the caller is the process that launched it, and no forked child of that one.
    [[nodiscard]] bool is_mine() const noexcept { return os::is_process(owner_); }
    [[nodiscard]] pid_t pid() const noexcept { return child_.pid(); }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// Readable when it has ended; without pidfds, when its own children have ended too.
    [[nodiscard]] int descriptor() const noexcept;

    /// Effects: reaps a child that has ended. Returns: whether it has ended.
    [[nodiscard]] bool has_ended() noexcept;

    /// Blocks until it has ended. Returns: false when the deadline came first.
    [[nodiscard]] bool wait(Deadline deadline) noexcept;

    /// Effects: sends SIGTERM, or SIGKILL; none when it has ended. Returns: false when the system refuses, because this
    /// process may not signal the child's user, say.
    [[nodiscard]] bool ask_to_end() noexcept { return signal(SIGTERM); }
    [[nodiscard]] bool kill() noexcept { return signal(SIGKILL); }

    /// Throws: std::system_error unless ask_to_end() or kill(), called just before, returned true.
    static void require(bool sent);
    void report_survival() const noexcept;

    /// Returns: neither exited nor signaled before has_ended().
    [[nodiscard]] ExitStatus status() const noexcept;

    /// Returns: the exception that it ended by; null if it did not, or has not ended.
    [[nodiscard]] std::exception_ptr error() const;

private:
    [[nodiscard]] bool signal(int number) noexcept;

    [[nodiscard]] ExitRecord& record() const noexcept { return *reinterpret_cast<ExitRecord*>(page_.data()); }

    const os::Token owner_ = os::process_token();
    std::string name_;
    os::Mapping page_;
    os::LifeLine::Lease line_;
    os::Child child_;
    os::Descriptor life_line_;
    mutable std::mutex mutex_;
    bool ended_ = false;
    bool was_asked_ = false;  // to end, by its owner
    ExitStatus status_;
};

}  // namespace procpool::detail::process

#if PROCPOOL_BODIES
#include <procpool/process/child_process.ipp>
#endif

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Process: a child that runs any callable, forked now.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/core/given.hpp>
#include <procpool/os/process_start.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

namespace detail::process {
class ChildProcess;
}

/// How a Process is built.
struct ProcessOptions {
    /// The name that name() returns and that ps and top show, cut to 15 characters.
    std::string name = "process";
    /// Time between SIGTERM and SIGKILL in the destructor. Not negative.
    std::chrono::milliseconds terminate_grace{3000};
};

/// A child process that calls f(args...) and ends. It is a copy of this process as it is now, so nothing is encoded: f
/// may be any callable and capture anything. Changes that f makes stay in the child's copy.
/// - The child ends with exit code 0, with f's result where that is an int, or with 1 when f throws; error() tells the
///   exception.
/// - It has default signal handling, /dev/null as its input, and its parent's process group.
/// - When it ends, it writes out its own standard output and error, but nothing that its parent had not written yet,
///   and runs no atexit() function of its parent's.
/// - It is killed when its parent ends in any way. A main() that leaves the program to other threads, by
///   pthread_exit(), is no such end.
///
/// An exception that leaves f, and a death by a signal that the owner did not send, are logged as errors: see
/// set_log_sink(). Such a death is noticed when the child is joined, asked for its status, or destroyed. Others may
/// reap the child (SIGCHLD ignored, waitpid(-1)): exit_status() is known then if it ended by itself.
///
/// Called by: any thread of the process that made it, each member concurrently with the others, but for the assignment
/// and the destructor. In a forked child of that process an inherited Process is inert: its destructor does nothing,
/// its other members throw std::logic_error.
class Process {
public:
    /// No process: valid() is false, and all other members throw std::logic_error. A moved-from Process is like that.
    Process() noexcept = default;

    /// Forks the child. The arguments are passed on as they are, lvalues as lvalues. Connections among them, or their
    /// addresses, belong to the child from now on: see Connection::bind(). Throws: std::system_error,
    /// SharedMemoryExhausted; there is no child then.
    template <class F, class... Args>
    requires(!std::same_as<std::remove_cvref_t<F>, Process> &&
             !std::same_as<std::remove_cvref_t<F>, ProcessOptions>) explicit Process(F&& f, Args&&... args)
        : Process(ProcessOptions{}, std::forward<F>(f), std::forward<Args>(args)...) {}

    /// As above, with options. Throws: also std::invalid_argument.
    template <class F, class... Args>
    explicit Process(const ProcessOptions& options, F&& f, Args&&... args) : grace_(options.terminate_grace) {
        static_assert(
            std::is_invocable_v<F, Args...>,
            "procpool: a Process cannot call this function with these arguments: check their number and types; "
            "they are passed on as they are, lvalues as lvalues");
        if constexpr (std::is_invocable_v<F, Args...>) {
            auto call = [&]() -> int {
                detail::core::take_all(args...);
                if constexpr (std::is_same_v<std::invoke_result_t<F, Args...>, int>) {
                    return std::invoke(std::forward<F>(f), std::forward<Args>(args)...);
                } else {
                    static_cast<void>(std::invoke(std::forward<F>(f), std::forward<Args>(args)...));
                    return 0;
                }
            };
            start(
                options.name, [](void* what) { return (*static_cast<decltype(call)*>(what))(); }, &call);
            if constexpr ((detail::core::is_given<Args> || ...)) {
                const std::uint64_t started = detail::os::start_of_process(pid());
                detail::core::give_all(pid(), is_alive() ? started : 0, args...);
            }
        }
    }

    /// Takes the child over.
    Process(Process&&) noexcept = default;
    /// Ends the child that there was, as the destructor does, then takes the other one over.
    Process& operator=(Process&& other) noexcept;
    /// Asks the child to end (SIGTERM), waits for that, and kills it when it takes longer than terminate_grace. A child
    /// that it may not kill, since the program has given up its rights meanwhile, goes on by itself, which is logged.
    ~Process();

    /// Whether there is a child, running or ended.
    [[nodiscard]] bool valid() const noexcept { return child_process_ != nullptr; }

    /// Blocks until the child has ended. May be called again.
    void join();
    /// As join(), for a time. Returns: false when the child has not ended yet.
    template <class Rep, class Period>
    [[nodiscard]] bool join_for(std::chrono::duration<Rep, Period> timeout) {
        return join_until(detail::Deadline::after(timeout));
    }
    /// Sends SIGTERM and does not wait. Throws: std::system_error when the system refuses.
    void terminate();
    /// Sends SIGKILL and does not wait. Throws: as terminate().
    void kill();

    /// Whether the child has not ended yet.
    [[nodiscard]] bool is_alive() const;
    /// The child's process number, also once it has ended.
    [[nodiscard]] std::int32_t pid() const;
    /// ProcessOptions::name.
    [[nodiscard]] const std::string& name() const;
    /// How the child ended; neither exited() nor signaled() while it is alive.
    [[nodiscard]] ExitStatus exit_status() const;
    /// Returns: the exception that left f, as a task's arrives; null without one, and while the child is alive.
    [[nodiscard]] std::exception_ptr error() const;
    /// A descriptor that is readable once the child has ended, for event loops. A pidfd; where the system has none, a
    /// pipe, which the child's own children hold open too.
    [[nodiscard]] int native_handle() const;

private:
    struct Delete {
        void operator()(detail::process::ChildProcess* child) const noexcept;
    };

    void start(std::string name, int (*run)(void*), void* what);
    [[nodiscard]] bool join_until(detail::Deadline deadline);
    [[nodiscard]] detail::process::ChildProcess& get() const;
    void end() noexcept;

    std::unique_ptr<detail::process::ChildProcess, Delete> child_process_;
    std::chrono::milliseconds grace_{0};
};

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/process/process.ipp>
#endif

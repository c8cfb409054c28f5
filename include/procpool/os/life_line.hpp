// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// LifeLine: reports to the children of a process that it has ended or executes another program, whatever else has
/// happened to them.

#include <procpool/core/config.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_lock.hpp>

#include <sys/types.h>
#include <array>
#include <cstddef>
#include <utility>

namespace procpool::inline v0::detail::os {

/// Whether no process has the writing end of a pipe that none writes to. Returns: false for a descriptor that is not
/// open.
[[nodiscard]] bool is_at_end(int reading) noexcept;

enum class Exec : bool { ends_it, keeps_it };

/// Signals that the kernel sends this process at the end of a pipe.
class SignalsAtEnd {
public:
    /// Asks for `signal` when no process has the writing end any more. That holds while the process is stopped, after
    /// it has changed its user, when it executes a program if that `keeps_it`, and until it closes its descriptors: one
    /// of its own stays open for that. Called by: a child, for itself.
    static void ask(int reading, int signal, Exec exec = Exec::ends_it) noexcept;

    /// Effects: closes the descriptors of the process that this one was forked from. Called by: a child, right after
    /// its fork.
    static void forget() noexcept;

private:
    struct Open {
        int number;
        int signal;
    };
    static inline constinit std::array<Open, 2> open_{};
    static inline constinit std::size_t count_ = 0;
};

/// Held by a process for its children, one for all of them. It has two strands.
/// A pipe: its writing end is the parent's alone and closed when the parent ends or executes a program; then the kernel
/// signals the children. A lock on an anonymous file, which the parent holds by a mapping that no child inherits: it is
/// free once the parent has ended or executes a program, and held by a parent that has only closed all its
/// descriptors.
class LifeLine {
public:
    /// Keeps the line alive.
    class Lease {
    public:
        Lease() noexcept = default;
        Lease(Lease&& other) noexcept : line_(std::exchange(other.line_, nullptr)) {}
        Lease& operator=(Lease&& other) noexcept {
            std::swap(line_, other.line_);
            return *this;
        }
        ~Lease() {
            if (line_ != nullptr) { release(line_); }
        }

    private:
        friend LifeLine;
        explicit Lease(LifeLine* line) noexcept : line_(line) {}
        LifeLine* line_ = nullptr;
    };

    /// Throws: std::system_error. Called by: the parent, before it forks a child, while it keeps others from forking
    /// theirs.
    [[nodiscard]] static Lease lease();

    /// A child's view of its parent's line.
    class Watch {
    public:
        Watch() noexcept = default;

        /// Readable when is_gone() should be asked: the pipe, and the process; -1 where there is none, or this process
        /// has closed it.
        [[nodiscard]] int pipe() const noexcept {
            return line_ != nullptr && !at_end_ ? usable(line_->pipe_.reading) : -1;
        }
        [[nodiscard]] int process() const noexcept { return usable(alive_); }
        /// Whether the kernel cannot report every end: then is_gone() should be asked ten times a second.
        [[nodiscard]] bool must_ask() const noexcept { return pipe() < 0 || process() < 0; }

        /// Whether the parent has ended or executes another program. If its pipe is at the end and its lock is held, it
        /// has only closed its descriptors. Called by: the child, one thread.
        [[nodiscard]] bool is_gone() noexcept;
        /// Requires: the pipe is at its end. Called by: the child, any thread; signal handlers.
        [[nodiscard]] bool has_let_go() const noexcept;

    private:
        friend LifeLine;
        [[nodiscard]] int usable(const Descriptor& descriptor) const noexcept {
            return !beside_user_code_ || descriptor.is_intact() ? descriptor.number() : -1;
        }

        const LifeLine* line_ = nullptr;
        bool beside_user_code_ = false;
        bool at_end_ = false;
        Descriptor alive_;
        pid_t parent_ = parent_process();  // as it was after the fork; 0 outside this process's PID namespace
    };

    /// Effects: this process no longer holds the writing end. alive: a pidfd of the parent, opened by itself before the
    /// fork; may be none. beside_user_code: user code may close the descriptors. Called by: each child of the library
    /// that outlives no parent, right after its fork.
    [[nodiscard]] static Watch watch_parent(Descriptor alive, bool beside_user_code) noexcept;
    /// Effects: detaches this process from the line of its parent's parent. Called by: a worker, right after
    /// its fork.
    static void forget() noexcept;

private:
    LifeLine();
    ~LifeLine();

    static void release(LifeLine* line) noexcept;
    void hold_lock() noexcept;
    [[nodiscard]] bool is_intact() const noexcept { return pipe_.reading.is_intact() && pipe_.writing.is_intact(); }

    static inline constinit ProgramLock lock_{};
    static inline constinit LifeLine* current_ = nullptr;

    Token owner_ = process_token();
    Pipe pipe_;
    Descriptor locked_;
    void* held_ = nullptr;
    unsigned users_ = 1;
};

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/life_line.ipp>
#endif

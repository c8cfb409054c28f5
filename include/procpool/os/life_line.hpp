// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// LifeLine: how the children of a process learn that it has ended or executes another program, whatever else has
/// happened to them.

#include <procpool/os/call.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_lock.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <utility>

namespace procpool::inline v0::detail::os {

/// Returns: the number of another open file like that of `number`, with settings of its own; -1 without /proc.
[[nodiscard]] inline int reopen(int number) noexcept {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", number);
    return ::open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/// Whether nobody has the writing end of a pipe that nobody writes to. Returns: false for a descriptor that is none.
[[nodiscard]] inline bool is_at_end(int reading) noexcept {
    pollfd entry{reading, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLIN)) != 0;
}

enum class Exec : bool { ends_it, keeps_it };

/// Signals that the kernel sends this process at the end of a pipe.
class SignalsAtEnd {
public:
    /// Asks for `signal` when nobody has the writing end any more. That holds while the process is stopped, after it
    /// has changed its user, when it executes a program if that `keeps_it`, and until it closes its descriptors: one of
    /// its own stays open for that. Called by: a child, for itself.
    static void ask(int reading, int signal, Exec exec = Exec::ends_it) noexcept {
        if (count_ == open_.size()) { return; }
        const int own = Descriptor{reopen(reading)}.release();
        if (own < 0) { return; }
        if (exec == Exec::keeps_it) { ::fcntl(own, F_SETFD, 0); }
        open_[count_++] = {own, signal};
        if (::fcntl(own, F_SETSIG, signal) == 0 && ::fcntl(own, F_SETOWN, this_process()) == 0) {
            ::fcntl(own, F_SETFL, O_ASYNC | O_NONBLOCK);
        }
    }

    /// Effects: closes what the process that this one was forked from has asked for. Called by: a child, right after
    /// its fork.
    static void forget() noexcept {
        for (; count_ > 0; --count_) {
            const auto [number, signal] = open_[count_ - 1];
            if (::fcntl(number, F_GETSIG) == signal) { ::close(number); }  // or it is another file's by now
        }
    }

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
/// free once the parent has ended or executes a program, and tells that from a parent that has closed all its
/// descriptors.
class LifeLine {
public:
    /// As long as one lives the line does.
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
    [[nodiscard]] static Lease lease() {
        const std::lock_guard guard{lock_};
        if (current_ != nullptr && is_process(current_->owner_) && current_->is_intact()) {
            ++current_->users_;
            return Lease{current_};
        }
        auto* const fresh = new LifeLine;
        // An ancestor's must not look held because this process, forked by the user, has a copy of its end.
        if (current_ != nullptr && !is_process(current_->owner_)) { current_->pipe_.writing.close(); }
        current_ = fresh;
        return Lease{fresh};
    }

    /// What a child keeps of its parent's line.
    class Watch {
    public:
        Watch() noexcept = default;

        /// Readable when is_gone() should be asked: the pipe, and the process; -1 where there is none, or this process
        /// has closed it.
        [[nodiscard]] int pipe() const noexcept {
            return line_ != nullptr && !at_end_ ? usable(line_->pipe_.reading) : -1;
        }
        [[nodiscard]] int process() const noexcept { return usable(alive_); }
        /// Whether there is something that the kernel does not tell: then is_gone() should be asked ten times a second.
        [[nodiscard]] bool must_ask() const noexcept { return pipe() < 0 || process() < 0; }

        /// Whether the parent has ended or executes another program. If its pipe is at the end and its lock is held, it
        /// has only closed its descriptors. Called by: the child, one thread.
        [[nodiscard]] bool is_gone() noexcept {
            if (const int alive = process(); alive >= 0 && wait_readable(alive, Deadline::immediately())) {
                return true;
            }
            if (parent_process() != parent_) { return true; }
            if (line_ == nullptr || (!at_end_ && (pipe() < 0 || !is_at_end(pipe())))) { return false; }
            if (has_let_go()) { return true; }
            at_end_ = true;
            return false;
        }
        /// Requires: the pipe is at its end. Called by: the child, any thread; signal handlers.
        [[nodiscard]] bool has_let_go() const noexcept {
            if (line_ == nullptr || !line_->locked_) { return true; }
            const int locked = usable(line_->locked_);
            return locked >= 0 && ::flock(locked, LOCK_SH | LOCK_NB) == 0;
        }

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
    /// fork; may be none. beside_user_code: somebody may close the descriptors. Called by: each child of the library
    /// that outlives no parent, right after its fork.
    [[nodiscard]] static Watch watch_parent(Descriptor alive, bool beside_user_code) noexcept {
        SignalsAtEnd::forget();
        Watch watch;
        watch.beside_user_code_ = beside_user_code;
        watch.alive_ = std::move(alive);
        watch.line_ = current_;
        if (current_ != nullptr) { current_->pipe_.writing.close(); }
        return watch;
    }
    /// Effects: this process has nothing to do with the line of its parent's parent. Called by: a worker, right after
    /// its fork.
    static void forget() noexcept {
        SignalsAtEnd::forget();
        if (current_ == nullptr) { return; }
        current_->pipe_.writing.close();
        current_->pipe_.reading.close();
        current_->locked_.close();
    }

private:
    LifeLine() { hold_lock(); }
    ~LifeLine() {
        if (held_ != nullptr) { ::munmap(held_, page); }
    }

    static void release(LifeLine* line) noexcept {
        const std::lock_guard guard{lock_};
        if (!is_process(line->owner_) || --line->users_ != 0) { return; }
        if (current_ == line) {
            current_ = nullptr;
        }  // first: a child forked now closes nothing that is another's by then
        delete line;
    }

    /// Without /proc or anonymous files there is no lock, and the end of the pipe alone tells.
    void hold_lock() noexcept {
        Descriptor file{static_cast<int>(::memfd_create("procpool", MFD_CLOEXEC))};
        if (!file || ::ftruncate(file.number(), page) != 0) { return; }
        Descriptor other{reopen(file.number())};
        if (!other || ::flock(file.number(), LOCK_EX | LOCK_NB) != 0) { return; }
        void* const mapped =
            ::mmap(nullptr, page, PROT_READ, MAP_SHARED, file.number(), 0);  // keeps the file open without a descriptor
        if (mapped == MAP_FAILED) { return; }
        ::madvise(mapped, page, MADV_DONTFORK);
        held_ = mapped;
        locked_ = std::move(other);
    }

    [[nodiscard]] bool is_intact() const noexcept { return pipe_.reading.is_intact() && pipe_.writing.is_intact(); }

    static constexpr std::size_t page = 4096;
    static inline constinit ProgramLock lock_{};
    static inline constinit LifeLine* current_ = nullptr;

    Token owner_ = process_token();
    Pipe pipe_;
    Descriptor locked_;
    void* held_ = nullptr;
    unsigned users_ = 1;
};

}  // namespace procpool::detail::os

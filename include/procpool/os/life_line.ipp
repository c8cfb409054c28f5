// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadline.hpp>
#include <procpool/os/life_line.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cstdio>
#include <mutex>

namespace procpool::inline v0::detail::os {

/// Returns: the number of another open file like that of `number`, with settings of its own; -1 without /proc.
[[nodiscard]] PROCPOOL_DECL int reopen(int number) noexcept {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", number);
    return ::open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

PROCPOOL_DECL bool is_at_end(int reading) noexcept {
    pollfd entry{reading, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLIN)) != 0;
}

PROCPOOL_DECL void SignalsAtEnd::ask(int reading, int signal, Exec exec) noexcept {
    if (count_ == open_.size()) { return; }
    const int own = Descriptor{reopen(reading)}.release();
    if (own < 0) { return; }
    if (exec == Exec::keeps_it) { ::fcntl(own, F_SETFD, 0); }
    open_[count_++] = {own, signal};
    if (::fcntl(own, F_SETSIG, signal) == 0 && ::fcntl(own, F_SETOWN, this_process()) == 0) {
        ::fcntl(own, F_SETFL, O_ASYNC | O_NONBLOCK);
    }
}

PROCPOOL_DECL void SignalsAtEnd::forget() noexcept {
    for (; count_ > 0; --count_) {
        const auto [number, signal] = open_[count_ - 1];
        if (::fcntl(number, F_GETSIG) == signal) { ::close(number); }  // or it is another file's by now
    }
}

inline constexpr std::size_t locked_size = 4096;

PROCPOOL_DECL LifeLine::LifeLine() { hold_lock(); }
PROCPOOL_DECL LifeLine::~LifeLine() {
    if (held_ != nullptr) { ::munmap(held_, locked_size); }
}

PROCPOOL_DECL LifeLine::Lease LifeLine::lease() {
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

PROCPOOL_DECL void LifeLine::release(LifeLine* line) noexcept {
    const std::lock_guard guard{lock_};
    if (!is_process(line->owner_) || --line->users_ != 0) { return; }
    // Comes first: a child forked now closes no descriptor that is another file's by then.
    if (current_ == line) { current_ = nullptr; }
    delete line;
}

/// Without /proc or anonymous files there is no lock, and only the end of the pipe counts.
PROCPOOL_DECL void LifeLine::hold_lock() noexcept {
    Descriptor file{static_cast<int>(::memfd_create("procpool", MFD_CLOEXEC))};
    if (!file || ::ftruncate(file.number(), locked_size) != 0) { return; }
    Descriptor other{reopen(file.number())};
    if (!other || ::flock(file.number(), LOCK_EX | LOCK_NB) != 0) { return; }
    // Keeps the file open without a descriptor.
    void* const mapped = ::mmap(nullptr, locked_size, PROT_READ, MAP_SHARED, file.number(), 0);
    if (mapped == MAP_FAILED) { return; }
    ::madvise(mapped, locked_size, MADV_DONTFORK);
    held_ = mapped;
    locked_ = std::move(other);
}

PROCPOOL_DECL bool LifeLine::Watch::is_gone() noexcept {
    if (const int alive = process(); alive >= 0 && wait_readable(alive, Deadline::immediately())) { return true; }
    if (parent_process() != parent_) { return true; }
    if (line_ == nullptr || (!at_end_ && (pipe() < 0 || !is_at_end(pipe())))) { return false; }
    if (has_let_go()) { return true; }
    at_end_ = true;
    return false;
}

PROCPOOL_DECL bool LifeLine::Watch::has_let_go() const noexcept {
    if (line_ == nullptr || !line_->locked_) { return true; }
    const int locked = usable(line_->locked_);
    return locked >= 0 && ::flock(locked, LOCK_SH | LOCK_NB) == 0;
}

PROCPOOL_DECL LifeLine::Watch LifeLine::watch_parent(Descriptor alive, bool beside_user_code) noexcept {
    SignalsAtEnd::forget();
    Watch watch;
    watch.beside_user_code_ = beside_user_code;
    watch.alive_ = std::move(alive);
    watch.line_ = current_;
    if (current_ != nullptr) { current_->pipe_.writing.close(); }
    return watch;
}

PROCPOOL_DECL void LifeLine::forget() noexcept {
    SignalsAtEnd::forget();
    if (current_ == nullptr) { return; }
    current_->pipe_.writing.close();
    current_->pipe_.reading.close();
    current_->locked_.close();
}

}  // namespace procpool::detail::os

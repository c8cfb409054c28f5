// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// wait_for_sleep(): returns when a thread sleeps on a futex, so that a test need not guess when it has got there.

#include "support/events.hpp"

#include <fmt/core.h>
#include <cstdio>
#include <memory>

#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

namespace procpool_test {

/// Whether the thread, of any process, is in a system call that waits for a futex.
[[nodiscard]] inline bool is_asleep_on_futex(pid_t thread) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{
        std::fopen(fmt::format("/proc/{}/syscall", thread).c_str(), "r"), &std::fclose};
    long number = -1;
    if (!file || std::fscanf(file.get(), "%ld", &number) != 1) { return false; }
#ifdef SYS_futex_waitv
    if (number == SYS_futex_waitv) { return true; }
#endif
    return number == SYS_futex;
}
/// thread: as gettid() says; a process number is that of its first thread.
inline void wait_for_sleep(pid_t thread) {
    wait_until([=] { return is_asleep_on_futex(thread); }, "a thread to sleep on a futex");
}

/// Kills a child and waits for its end.
inline void kill_and_reap(pid_t child) {
    ::kill(child, SIGKILL);
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {}
}

/// Returns: the number of the calling thread.
[[nodiscard]] inline pid_t this_thread() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

}  // namespace procpool_test

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The first thread of a process may end before the process does; the kernel takes the one for the other.

#include <procpool/os/call.hpp>

#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace procpool::inline v0::detail::os {

/// Whether the calling thread has forked children that nobody has waited for.
[[nodiscard]] inline bool has_children_of_its_own() noexcept {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) == 0;
}

/// Whether this process has threads besides the caller, as far as /proc tells: each has a folder, which is a link to
/// the one above.
[[nodiscard]] inline bool has_other_threads() noexcept {
    struct ::stat threads {};
    return ::stat("/proc/self/task", &threads) == 0 && threads.st_nlink > 3;
}

/// Effects: when the caller ends by pthread_exit(), as main() may to leave the program to other threads, it stays as
/// long as it has children and there are such threads: the kernel would send its children the signal that they asked
/// for (PR_SET_PDEATHSIG) in case their parent ends. exit() and the return of main() do not wait. Called by: the first
/// thread, before it forks such a child.
inline void outlive_children() {
    static const pthread_key_t at_its_end = [] {
        pthread_key_t key{};
        const int error = ::pthread_key_create(&key, [](void*) {
            while (has_children_of_its_own() && has_other_threads()) { ::poll(nullptr, 0, 100); }
        });
        if (error != 0) { throw_error(error, "pthread_key_create"); }
        return key;
    }();
    ::pthread_setspecific(at_its_end, &at_its_end);
}

}  // namespace procpool::detail::os

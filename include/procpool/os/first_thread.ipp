// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/first_thread.hpp>

#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL bool has_children_of_its_own() noexcept {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) == 0;
}

PROCPOOL_DECL bool has_other_threads() noexcept {
    struct ::stat threads {};  // a folder for each thread, which is a link to the one above
    return ::stat("/proc/self/task", &threads) == 0 && threads.st_nlink > 3;
}

PROCPOOL_DECL void outlive_children() {
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

// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/futex.hpp>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>
#include <climits>
#include <ctime>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                              Deadline deadline) noexcept {
    timespec when{};
    if (!deadline.is_never()) {
        const auto since_boot = deadline.when().time_since_epoch();
        const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
        when.tv_sec = static_cast<std::time_t>(seconds.count());
        when.tv_nsec = static_cast<long>(std::chrono::nanoseconds(since_boot - seconds).count());
    }
    // Not FUTEX_PRIVATE: other processes wake it. FUTEX_WAIT_BITSET, since its time is a point in time.
    const long result = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected, deadline.is_never() ? nullptr : &when,
                                  nullptr, FUTEX_BITSET_MATCH_ANY);
    return result == 0 || (errno != ETIMEDOUT && errno != EINVAL);  // EINVAL: a time before the clock began
}

PROCPOOL_DECL void futex_wake(const std::atomic<std::uint32_t>& word) noexcept {
    ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace procpool::detail::os

// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Futex: a word in memory that processes share, and the kernel's queue of those who sleep on it.

#include <procpool/core/deadline.hpp>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <ctime>

namespace procpool::inline v0::detail::os {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t), "the kernel reads the word");

/// Effects: sleeps if the word is `expected`, until it is woken, a signal, or the deadline of the steady clock; may
/// return early. Returns: false when the deadline came first.
inline bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, Deadline deadline) noexcept {
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

/// Effects: everybody who sleeps on the word wakes. Called by: any process; the word's content does not matter.
inline void futex_wake(const std::atomic<std::uint32_t>& word) noexcept {
    ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace procpool::detail::os
